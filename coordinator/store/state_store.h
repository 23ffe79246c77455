// Where the coordinator's state survives. Entities are JSON bodies keyed by (table, id) with the
// experiment beside them; metrics, events and requests are rows of their own, because they are
// many. Used from the store's thread only (the controller's): one connection in all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace scm::store {

// Tables of entities, as listed in coordinator/store/tables.def. The name is also the SQL table's.
enum class EntityTable {
#define SCM_ENTITIES(entity, name, since, loss) entity,
#include "coordinator/store/tables.def"
};
inline constexpr EntityTable kEntityTables[] = {
#define SCM_ENTITIES(entity, name, since, loss) EntityTable::entity,
#include "coordinator/store/tables.def"
};
const char* EntityTableName(EntityTable table);

struct EntityRow {
  EntityTable table;
  std::string id;          // unique in its table
  std::string experiment;  // "" where there is none
  std::string body;        // JSON text
};

// Key: (run, attempt, step, name). A row that exists already is left as it is.
struct MetricRow {
  std::string run;
  int64_t attempt = 0, step = 0;
  std::string name;
  double value = 0;  // may be NaN or infinite
};

struct EventRow {
  int64_t sequence = 0;    // given by the controller, strictly growing
  std::string at;          // RFC 3339
  std::string experiment;  // "" for the cluster's own
  std::string subject;     // an id
  std::string kind;        // "run_aborted", …
  std::string text;        // the reason, as shown everywhere
  std::string body;        // JSON text, "{}" if none
};

// One atomic commit.
struct WriteBatch {
  std::vector<EntityRow> upserts;
  std::vector<std::pair<EntityTable, std::string>> removals;
  std::vector<MetricRow> metrics;
  std::vector<EventRow> events;
  // Submissions by request id: the answer given.
  std::vector<std::pair<std::string, std::string>> requests;
  bool empty() const {
    return upserts.empty() && removals.empty() && metrics.empty() && events.empty() &&
           requests.empty();
  }
};

struct StoredState {
  std::vector<EntityRow> entities;  // table by table, in insertion order
  std::vector<std::pair<std::string, std::string>> requests;
  int64_t last_event = 0;
};

struct StoredMetric {
  int64_t row = 0;  // page key, growing in insertion order
  MetricRow metric;
};

// What a look through the stored bytes found.
struct StoreCheck {
  std::vector<std::string> problems;   // what is damaged, one sentence each
  std::vector<std::string> unchecked;  // tables that the time did not suffice for
  bool operator==(const StoreCheck&) const = default;
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  // All or nothing, durable when it returns OK. RESOURCE_EXHAUSTED: the disk is full, nothing was
  // written, the same batch may be tried again. Any other error is fatal to the caller.
  virtual absl::Status Commit(const WriteBatch& batch) = 0;
  virtual absl::StatusOr<StoredState> Load() = 0;
  // Rows of one run behind `after`, at most `limit`, in row order.
  virtual absl::StatusOr<std::vector<StoredMetric>> ReadMetrics(absl::string_view run,
                                                                int64_t after, int64_t limit) = 0;
  // Events of an experiment ("" = all) behind sequence `after`.
  virtual absl::StatusOr<std::vector<EventRow>> ReadEvents(absl::string_view experiment,
                                                           int64_t after, int64_t limit) = 0;
  // Looks through what is stored, the smaller tables first, for at most about `allowed`: whoever
  // owns the store's thread waits for it.
  virtual StoreCheck Check(absl::Duration allowed) = 0;
};

}  // namespace scm::store
