#include "coordinator/store/sqlite_store.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "coordinator/store/batch_check.h"
#include "coordinator/store/schema.h"

namespace scm::store {
namespace {

// $0 is the table's name, one of EntityTableName().
constexpr char kUpsertEntity[] =
    "INSERT INTO $0 (id, experiment, body) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (id) DO UPDATE SET experiment = excluded.experiment, body = excluded.body";
constexpr char kRemoveEntity[] = "DELETE FROM $0 WHERE id = ?1";
constexpr char kLoadEntities[] = "SELECT id, experiment, body FROM $0 ORDER BY position";

constexpr char kInsertMetric[] =
    "INSERT INTO metrics (run, attempt, step, name, value) VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (run, attempt, step, name) DO NOTHING";
constexpr char kInsertEvent[] =
    "INSERT INTO events (sequence, at, experiment, subject, kind, text, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr char kInsertRequest[] =
    "INSERT INTO requests (id, answer) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING";
constexpr char kLoadRequests[] = "SELECT id, answer FROM requests ORDER BY position";
constexpr char kLastEvent[] = "SELECT coalesce(max(sequence), 0) FROM events";
constexpr char kReadMetrics[] =
    "SELECT position, run, attempt, step, name, value FROM metrics"
    " WHERE run = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
constexpr char kReadEvents[] =
    "SELECT sequence, at, experiment, subject, kind, text, body FROM events"
    " WHERE experiment = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3";
constexpr char kReadAllEvents[] =
    "SELECT sequence, at, experiment, subject, kind, text, body FROM events"
    " WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";

constexpr char kPageSize[] = "PRAGMA page_size";
constexpr char kIntegrityCheck[] = "PRAGMA integrity_check(1)";
constexpr char kBadMetrics[] =
    "SELECT run, step, name FROM metrics WHERE typeof(value) NOT IN ('real', 'integer')"
    " AND value NOT IN ('NaN', 'Infinity', '-Infinity') LIMIT 1";

void BindValue(Statement& statement, int parameter, double value) {
  if (std::isnan(value)) {
    statement.Text(parameter, "NaN");
  } else if (std::isinf(value)) {
    statement.Text(parameter, value > 0 ? "Infinity" : "-Infinity");
  } else {
    statement.Real(parameter, value);
  }
}

absl::StatusOr<double> ValueAt(const Statement& statement, int column) {
  if (!statement.IsTextAt(column)) return statement.RealAt(column);
  const std::optional<double> value = NumberFromJson(Json(statement.TextAt(column)));
  if (value) return *value;
  return absl::DataLossError(
      absl::StrCat("a metric's value is \"", statement.TextAt(column), "\", which is no number"));
}

EventRow EventAt(const Statement& row) {
  return {row.IntegerAt(0), row.TextAt(1), row.TextAt(2), row.TextAt(3),
          row.TextAt(4),    row.TextAt(5), row.TextAt(6)};
}

absl::Status LimitSize(Database& database, int64_t max_bytes) {
  SCM_ASSIGN_OR_RETURN(const std::string text, database.Value(kPageSize));
  int64_t page_size = 0;
  if (!absl::SimpleAtoi(text, &page_size) || page_size < 1) {
    return absl::InternalError(absl::StrCat(database.path(), ": page_size is ", text));
  }
  const int64_t pages = std::max<int64_t>(max_bytes / page_size, 1);
  return database.Value(absl::StrCat("PRAGMA max_page_count = ", pages)).status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const SqliteStoreOptions& options) {
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<DataLock> lock, DataLock::Acquire(options.directory));
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                       Database::Open(absl::StrCat(options.directory, "/scm.db")));
  SCM_RETURN_IF_ERROR(Migrate(*database, SchemaMigrations()));
  // SQLite does not make the new file's name durable.
  SCM_RETURN_IF_ERROR(SyncDirectory(options.directory));
  if (options.max_bytes > 0) SCM_RETURN_IF_ERROR(LimitSize(*database, options.max_bytes));
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(lock), std::move(database)));
  SCM_RETURN_IF_ERROR(store->Prepare());
  SCM_ASSIGN_OR_RETURN(store->last_event_, store->ReadLastEvent());
  return store;
}

absl::Status SqliteStore::Prepare() {
  for (EntityTable table : kEntityTables) {
    EntityStatements& statements = ForTable(table);
    const std::pair<Statement*, const char*> entity[] = {{&statements.upsert, kUpsertEntity},
                                                         {&statements.remove, kRemoveEntity},
                                                         {&statements.load, kLoadEntities}};
    for (const auto& [statement, sql] : entity) {
      SCM_ASSIGN_OR_RETURN(*statement,
                           database_->Prepare(absl::Substitute(sql, EntityTableName(table))));
    }
  }
  const std::pair<Statement*, const char*> others[] = {
      {&insert_metric_, kInsertMetric},     {&insert_event_, kInsertEvent},
      {&insert_request_, kInsertRequest},   {&load_requests_, kLoadRequests},
      {&last_event_statement_, kLastEvent}, {&read_metrics_, kReadMetrics},
      {&read_events_, kReadEvents},         {&read_all_events_, kReadAllEvents}};
  for (const auto& [statement, sql] : others) {
    SCM_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
  }
  return absl::OkStatus();
}

absl::Status SqliteStore::Commit(const WriteBatch& batch) {
  if (!broken_.ok()) return broken_;
  if (batch.empty()) return absl::OkStatus();
  SCM_RETURN_IF_ERROR(CheckBatch(batch, last_event_));
  const absl::Status status = Write(batch);
  if (status.ok()) {
    if (!batch.events.empty()) last_event_ = batch.events.back().sequence;
  } else if (!absl::IsResourceExhausted(status)) {
    // Whether the batch is on the disk is not known any more; only a restart finds out.
    broken_ = status;
  }
  return status;
}

absl::Status SqliteStore::Write(const WriteBatch& batch) {
  SCM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  SCM_RETURN_IF_ERROR(WriteRows(batch));
  return transaction.Commit();
}

absl::Status SqliteStore::WriteRows(const WriteBatch& batch) {
  for (const EntityRow& row : batch.upserts) {
    Statement& upsert = ForTable(row.table).upsert;
    SCM_RETURN_IF_ERROR(upsert.Text(1, row.id).Text(2, row.experiment).Text(3, row.body).Run());
  }
  for (const auto& [table, id] : batch.removals) {
    SCM_RETURN_IF_ERROR(ForTable(table).remove.Text(1, id).Run());
  }
  for (const MetricRow& row : batch.metrics) {
    insert_metric_.Text(1, row.run).Integer(2, row.attempt).Integer(3, row.step).Text(4, row.name);
    BindValue(insert_metric_, 5, row.value);
    SCM_RETURN_IF_ERROR(insert_metric_.Run());
  }
  for (const EventRow& event : batch.events) {
    insert_event_.Integer(1, event.sequence).Text(2, event.at).Text(3, event.experiment);
    insert_event_.Text(4, event.subject).Text(5, event.kind).Text(6, event.text);
    SCM_RETURN_IF_ERROR(insert_event_.Text(7, event.body).Run());
  }
  for (const auto& [request, answer] : batch.requests) {
    SCM_RETURN_IF_ERROR(insert_request_.Text(1, request).Text(2, answer).Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SqliteStore::ReadLastEvent() {
  SCM_RETURN_IF_ERROR(last_event_statement_.Step().status());
  const int64_t last = last_event_statement_.IntegerAt(0);
  last_event_statement_.Reset();
  return last;
}

absl::StatusOr<StoredState> SqliteStore::Load() {
  StoredState state;
  for (EntityTable table : kEntityTables) {
    Statement& load = ForTable(table).load;
    absl::StatusOr<bool> row = load.Step();
    for (; row.ok() && *row; row = load.Step()) {
      state.entities.push_back({table, load.TextAt(0), load.TextAt(1), load.TextAt(2)});
    }
    load.Reset();
    SCM_RETURN_IF_ERROR(row.status());
  }
  absl::StatusOr<bool> row = load_requests_.Step();
  for (; row.ok() && *row; row = load_requests_.Step()) {
    state.requests.emplace_back(load_requests_.TextAt(0), load_requests_.TextAt(1));
  }
  load_requests_.Reset();
  SCM_RETURN_IF_ERROR(row.status());
  SCM_ASSIGN_OR_RETURN(state.last_event, ReadLastEvent());
  return state;
}

absl::StatusOr<std::vector<StoredMetric>> SqliteStore::ReadMetrics(absl::string_view run,
                                                                   int64_t after, int64_t limit) {
  std::vector<StoredMetric> metrics;
  Statement& read = read_metrics_;
  read.Text(1, run).Integer(2, after).Integer(3, std::max<int64_t>(limit, 0));
  absl::StatusOr<bool> row = read.Step();
  for (; row.ok() && *row; row = read.Step()) {
    const absl::StatusOr<double> value = ValueAt(read, 5);
    if (!value.ok()) continue;  // Check names it
    metrics.push_back(
        {read.IntegerAt(0),
         {read.TextAt(1), read.IntegerAt(2), read.IntegerAt(3), read.TextAt(4), *value}});
  }
  read.Reset();
  SCM_RETURN_IF_ERROR(row.status());
  return metrics;
}

absl::StatusOr<std::vector<EventRow>> SqliteStore::ReadEvents(absl::string_view experiment,
                                                              int64_t after, int64_t limit) {
  std::vector<EventRow> events;
  limit = std::max<int64_t>(limit, 0);
  Statement& read = experiment.empty() ? read_all_events_ : read_events_;
  if (experiment.empty()) {
    read.Integer(1, after).Integer(2, limit);
  } else {
    read.Text(1, experiment).Integer(2, after).Integer(3, limit);
  }
  absl::StatusOr<bool> row = read.Step();
  for (; row.ok() && *row; row = read.Step()) events.push_back(EventAt(read));
  read.Reset();
  SCM_RETURN_IF_ERROR(row.status());
  return events;
}

absl::Status SqliteStore::CheckIntegrity() {
  SCM_ASSIGN_OR_RETURN(const std::string verdict, database_->Value(kIntegrityCheck));
  if (verdict == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(database_->path(), " is damaged: ", verdict));
}

absl::Status SqliteStore::CheckTable(absl::string_view table) {
  SCM_ASSIGN_OR_RETURN(const std::string verdict,
                       database_->Value(absl::StrCat("PRAGMA quick_check(", table, ")")));
  return verdict == "ok" ? absl::OkStatus() : absl::DataLossError(verdict);
}

absl::Status SqliteStore::CheckMetricValues() {
  SCM_ASSIGN_OR_RETURN(Statement bad, database_->Prepare(kBadMetrics));
  SCM_ASSIGN_OR_RETURN(const bool found, bad.Step());
  if (!found) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("a value of ", bad.TextAt(2), " of ", bad.TextAt(0),
                                          " at step ", bad.IntegerAt(1),
                                          " is no number; it is left out"));
}

StoreCheck SqliteStore::Check(absl::Duration allowed) {
  std::vector<std::string> tables;
  for (const EntityTable table : kEntityTables) tables.push_back(EntityTableName(table));
  // The largest ones last.
  for (const char* table : {"requests", "events", "metrics"}) tables.push_back(table);
  StoreCheck check;
  const auto note = [&check](const std::string& table, const absl::Status& status) {
    if (absl::IsDeadlineExceeded(status)) {
      check.unchecked.push_back(table);
    } else if (!status.ok()) {
      check.problems.push_back(absl::StrCat("table ", table, ": ", status.message()));
    }
  };
  const Database::TimeLimit limit(*database_, allowed);
  for (const std::string& table : tables) note(table, CheckTable(table));
  note("values of metrics", CheckMetricValues());
  return check;
}

}  // namespace scm::store
