// The tables of the SQLite store, as numbered migrations. The version is PRAGMA user_version, which
// changes in the same transaction as the tables.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "coordinator/store/sqlite_db.h"

namespace scm::store {

struct Migration {
  int64_t version;  // 1, 2, 3 … : the version that it leads to
  std::vector<const char*> statements;
};

// Every migration of scm, in order. Released ones are never changed, only followed by new ones.
const std::vector<Migration>& SchemaMigrations();

// Marks a file as scm's own ("scm1", PRAGMA application_id).
inline constexpr int64_t kApplicationId = 0x73636d31;

// Brings the database to the last version of `migrations`, one transaction a migration, so a crash
// leaves an older version or a newer one, nothing between. FAILED_PRECONDITION: a newer scm wrote
// it, or it is another program's database.
absl::Status Migrate(Database& database, const std::vector<Migration>& migrations);

}  // namespace scm::store
