#include "coordinator/store/schema.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::store {
namespace {

// The tables of entities that came with this version, in the order of coordinator/store/tables.def.
// `position` keeps the order of insertion, which an update does not change.
std::vector<const char*> EntityTablesOf(int64_t version) {
  std::vector<const char*> statements;
#define SCM_ENTITIES(entity, name, since, loss)                                              \
  if (since == version) {                                                                    \
    statements.push_back("CREATE TABLE " #name                                               \
                         " (position INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE," \
                         " experiment TEXT NOT NULL, body TEXT NOT NULL)");                  \
  }
#include "coordinator/store/tables.def"
  return statements;
}

// `value` has no declared type: a number is REAL; NaN, which SQLite cannot store, and the
// infinities are the texts of the trainer protocol.
constexpr char kCreateMetrics[] =
    "CREATE TABLE metrics (position INTEGER PRIMARY KEY NOT NULL, run TEXT NOT NULL,"
    " attempt INTEGER NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, value NOT NULL)";
constexpr char kCreateMetricsKey[] =
    "CREATE UNIQUE INDEX metrics_key ON metrics (run, attempt, step, name)";
// Ends in the row's position, as every index does: pages of one run are read in order.
constexpr char kCreateMetricsPages[] = "CREATE INDEX metrics_pages ON metrics (run)";
constexpr char kCreateEvents[] =
    "CREATE TABLE events (sequence INTEGER PRIMARY KEY NOT NULL, at TEXT NOT NULL,"
    " experiment TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,"
    " body TEXT NOT NULL)";
constexpr char kCreateEventsPages[] = "CREATE INDEX events_pages ON events (experiment)";
constexpr char kCreateRequests[] =
    "CREATE TABLE requests (position INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE,"
    " answer TEXT NOT NULL)";

constexpr char kReadVersion[] = "PRAGMA user_version";
constexpr char kReadApplication[] = "PRAGMA application_id";
constexpr char kCountTables[] = "SELECT count(name) FROM sqlite_schema";

absl::StatusOr<int64_t> IntegerOf(Database& database, absl::string_view sql) {
  SCM_ASSIGN_OR_RETURN(const std::string text, database.Value(sql));
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return absl::DataLossError(absl::StrCat(database.path(), ": \"", sql, "\" gives ", text));
  }
  return value;
}

// A file with tables must be scm's; an empty one becomes it.
absl::Status CheckOwner(Database& database) {
  SCM_ASSIGN_OR_RETURN(const int64_t application, IntegerOf(database, kReadApplication));
  SCM_ASSIGN_OR_RETURN(const int64_t tables, IntegerOf(database, kCountTables));
  if (application == kApplicationId || (application == 0 && tables == 0)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      database.path(), " is another program's database: choose another data directory"));
}

absl::Status Apply(Database& database, const Migration& migration) {
  SCM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  for (const char* statement : migration.statements) {
    SCM_RETURN_IF_ERROR(database.Execute(statement));
  }
  // A PRAGMA takes no parameters.
  SCM_RETURN_IF_ERROR(database.Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId)));
  SCM_RETURN_IF_ERROR(database.Execute(absl::StrCat("PRAGMA user_version = ", migration.version)));
  return transaction.Commit();
}

}  // namespace

const std::vector<Migration>& SchemaMigrations() {
  static const auto* const migrations = [] {
    auto* all = new std::vector<Migration>();
    // Every version has something new.
    for (int64_t version = 1;; ++version) {
      Migration next = {version, EntityTablesOf(version)};
      if (version == 1) {
        next.statements.insert(next.statements.end(),
                               {kCreateMetrics, kCreateMetricsKey, kCreateMetricsPages,
                                kCreateEvents, kCreateEventsPages, kCreateRequests});
      }
      if (next.statements.empty()) return all;
      all->push_back(std::move(next));
    }
  }();
  return *migrations;
}

absl::Status Migrate(Database& database, const std::vector<Migration>& migrations) {
  SCM_RETURN_IF_ERROR(CheckOwner(database));
  SCM_ASSIGN_OR_RETURN(const int64_t found, IntegerOf(database, kReadVersion));
  const int64_t newest = migrations.empty() ? 0 : migrations.back().version;
  if (found > newest) {
    return absl::FailedPreconditionError(absl::StrCat(
        database.path(), " was written by a newer scm (schema ", found, ", this one knows ", newest,
        "): use that version, or another data directory"));
  }
  for (const Migration& migration : migrations) {
    if (migration.version > found) SCM_RETURN_IF_ERROR(Apply(database, migration));
  }
  return absl::OkStatus();
}

}  // namespace scm::store
