// The StateStore on SQLite, in DIR/scm.db. One connection in all, which also makes the checkpoints
// of the write-ahead log; the directory is locked against a second coordinator.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/store/data_lock.h"
#include "coordinator/store/sqlite_db.h"
#include "coordinator/store/state_store.h"

namespace scm::store {

struct SqliteStoreOptions {
  std::string directory;  // made if there is none
  int64_t max_bytes = 0;  // the database file grows no further (RESOURCE_EXHAUSTED); 0: no limit
};

class SqliteStore : public StateStore {
 public:
  // FAILED_PRECONDITION: the directory is in use (the message names the process), a newer scm wrote
  // it, or the file is another program's. DATA_LOSS: the file is damaged.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const SqliteStoreOptions& options);

  // In a batch, upserts come before removals. A request id keeps its first answer. After an error
  // that is neither RESOURCE_EXHAUSTED nor INVALID_ARGUMENT every later commit is refused.
  absl::Status Commit(const WriteBatch& batch) override;
  absl::StatusOr<StoredState> Load() override;
  absl::StatusOr<std::vector<StoredMetric>> ReadMetrics(absl::string_view run, int64_t after,
                                                        int64_t limit) override;
  absl::StatusOr<std::vector<EventRow>> ReadEvents(absl::string_view experiment, int64_t after,
                                                   int64_t limit) override;
  // SQLite's quick_check, table by table, and values of metrics that are no numbers.
  StoreCheck Check(absl::Duration allowed) override;

  // Reads the whole file. DATA_LOSS says what is wrong.
  absl::Status CheckIntegrity();

 private:
  struct EntityStatements {
    Statement upsert, remove, load;
  };

  SqliteStore(std::unique_ptr<DataLock> lock, std::unique_ptr<Database> database)
      : lock_(std::move(lock)), database_(std::move(database)) {}
  absl::Status Prepare();
  // OK: sound. DEADLINE_EXCEEDED: not finished.
  absl::Status CheckTable(absl::string_view table);
  absl::Status CheckMetricValues();
  absl::Status Write(const WriteBatch& batch);
  absl::Status WriteRows(const WriteBatch& batch);
  absl::StatusOr<int64_t> ReadLastEvent();
  EntityStatements& ForTable(EntityTable table) { return entities_[static_cast<size_t>(table)]; }

  // Destroyed from the last to the first: statements, connection, lock.
  std::unique_ptr<DataLock> lock_;
  std::unique_ptr<Database> database_;
  std::array<EntityStatements, std::size(kEntityTables)> entities_;
  Statement insert_metric_, insert_event_, insert_request_;
  Statement load_requests_, last_event_statement_;
  Statement read_metrics_, read_events_, read_all_events_;
  int64_t last_event_ = 0;
  absl::Status broken_;  // the error that ended writing
};

}  // namespace scm::store
