// The StateStore in memory, for tests and the simulator: the same answers as SqliteStore, nothing
// durable. Single-threaded.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "coordinator/store/state_store.h"

namespace scm::store {

class MemoryStore : public StateStore {
 public:
  absl::Status Commit(const WriteBatch& batch) override;
  absl::StatusOr<StoredState> Load() override;
  absl::StatusOr<std::vector<StoredMetric>> ReadMetrics(absl::string_view run, int64_t after,
                                                        int64_t limit) override;
  absl::StatusOr<std::vector<EventRow>> ReadEvents(absl::string_view experiment, int64_t after,
                                                   int64_t limit) override;
  StoreCheck Check(absl::Duration) override { return {}; }

 private:
  struct Table {
    std::map<int64_t, EntityRow> rows;  // by position
    std::unordered_map<std::string, int64_t> position;
  };
  struct Series {
    std::vector<StoredMetric> rows;
    std::set<std::tuple<int64_t, int64_t, std::string>> keys;  // attempt, step, name
  };

  std::array<Table, std::size(kEntityTables)> tables_;
  std::map<std::string, Series> metrics_;  // by run
  std::vector<EventRow> events_;
  std::vector<std::pair<std::string, std::string>> requests_;
  std::set<std::string> request_ids_;
  int64_t next_position_ = 1;
  int64_t next_metric_ = 1;
};

}  // namespace scm::store
