// Migrations: forward only, one transaction each.
#include "coordinator/store/schema.h"

#include <gtest/gtest.h>

#include "coordinator/store/sqlite_store.h"
#include "tests/fakes/temp_dir.h"

namespace scm::store {
namespace {

class SchemaTest : public testing::Test {
 protected:
  std::unique_ptr<Database> Open(const std::string& name = "scm.db") {
    auto database = Database::Open(dir_.path() + "/" + name);
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }

  fake::TempDir dir_;
};

const std::vector<Migration>& Three() {
  static const std::vector<Migration> migrations = {
      {1, {"CREATE TABLE a (x TEXT NOT NULL)"}},
      {2, {"INSERT INTO a (x) VALUES ('of two')", "CREATE TABLE b (x TEXT NOT NULL)"}},
      {3, {"INSERT INTO b (x) SELECT x FROM a ORDER BY x"}}};
  return migrations;
}

std::string Version(Database& db) { return db.Value("PRAGMA user_version").value(); }

TEST_F(SchemaTest, EveryOlderVersionReachesTheNewest) {
  for (size_t from = 0; from <= Three().size(); ++from) {
    const std::string name = std::to_string(from) + ".db";
    auto db = Open(name);
    const std::vector<Migration> older(Three().begin(), Three().begin() + from);
    ASSERT_TRUE(Migrate(*db, older).ok());
    EXPECT_EQ(Version(*db), std::to_string(from));
    db.reset();
    db = Open(name);
    ASSERT_TRUE(Migrate(*db, Three()).ok());
    EXPECT_EQ(Version(*db), "3");
    EXPECT_EQ(db->Value("SELECT x FROM b ORDER BY x").value(), "of two");
    ASSERT_TRUE(Migrate(*db, Three()).ok());
    EXPECT_EQ(db->Value("SELECT count(x) FROM b").value(), "1") << "each runs once";
  }
}

TEST_F(SchemaTest, AFailedMigrationLeavesTheOlderVersion) {
  auto db = Open();
  std::vector<Migration> broken = Three();
  broken[1].statements.push_back("CREATE NONSENSE");
  EXPECT_FALSE(Migrate(*db, broken).ok());
  EXPECT_EQ(Version(*db), "1");
  EXPECT_EQ(db->Value("SELECT count(x) FROM a").value(), "0");
  EXPECT_TRUE(Migrate(*db, Three()).ok());
  EXPECT_EQ(Version(*db), "3");
}

TEST_F(SchemaTest, RefusesANewerSchema) {
  ASSERT_TRUE(SqliteStore::Open({dir_.path()}).ok());
  {
    auto db = Open();
    ASSERT_TRUE(db->Execute("PRAGMA user_version = 99").ok());
  }
  const absl::Status status = SqliteStore::Open({dir_.path()}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(status.message()).find("newer scm (schema 99, this one knows 2)"),
            std::string::npos)
      << status;
  EXPECT_EQ(Version(*Open()), "99") << "untouched";
}

TEST_F(SchemaTest, AnOlderDatabaseOpensAndGetsWhatIsNew) {
  {
    auto db = Open();
    const std::vector<Migration> first(SchemaMigrations().begin(), SchemaMigrations().begin() + 1);
    ASSERT_TRUE(Migrate(*db, first).ok());
    ASSERT_TRUE(
        db->Execute("INSERT INTO runs (id, experiment, body) VALUES ('r-1', 'e-1', '{}')").ok());
  }
  auto store = SqliteStore::Open({dir_.path()});
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Load()->entities.size(), 1u);
  WriteBatch batch;
  batch.upserts.push_back({EntityTable::kValidations, "r-1/0", "e-1", "[]"});
  EXPECT_TRUE((*store)->Commit(batch).ok());
}

// What databases of version 2 hold. New tables come with versions of their own.
TEST_F(SchemaTest, ReleasedTablesKeepTheirDefinitions) {
  auto db = Open();
  const std::vector<Migration> released(SchemaMigrations().begin(), SchemaMigrations().begin() + 2);
  ASSERT_TRUE(Migrate(*db, released).ok());
  std::string expected;
  for (const char* name : {"experiments", "trials", "runs", "tasks", "workers", "checkpoints",
                           "artifacts", "certificates", "meta"}) {
    expected += std::string("CREATE TABLE ") + name +
                " (position INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE,"
                " experiment TEXT NOT NULL, body TEXT NOT NULL)\n";
  }
  expected +=
      "CREATE TABLE metrics (position INTEGER PRIMARY KEY NOT NULL, run TEXT NOT NULL,"
      " attempt INTEGER NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, value NOT NULL)\n"
      "CREATE UNIQUE INDEX metrics_key ON metrics (run, attempt, step, name)\n"
      "CREATE INDEX metrics_pages ON metrics (run)\n"
      "CREATE TABLE events (sequence INTEGER PRIMARY KEY NOT NULL, at TEXT NOT NULL,"
      " experiment TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,"
      " body TEXT NOT NULL)\n"
      "CREATE INDEX events_pages ON events (experiment)\n"
      "CREATE TABLE requests (position INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE,"
      " answer TEXT NOT NULL)\n"
      "CREATE TABLE validations (position INTEGER PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE,"
      " experiment TEXT NOT NULL, body TEXT NOT NULL)\n";
  EXPECT_EQ(db->Value("SELECT group_concat(sql || char(10), '') FROM sqlite_schema"
                      " WHERE sql IS NOT NULL")
                .value(),
            expected);
}

TEST_F(SchemaTest, RefusesAnotherProgramsDatabase) {
  ASSERT_TRUE(Open()->Execute("CREATE TABLE theirs (x TEXT NOT NULL)").ok());
  const absl::Status status = SqliteStore::Open({dir_.path()}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(status.message()).find("another program's database"), std::string::npos);
}

TEST_F(SchemaTest, RefusesADamagedFile) {
  ASSERT_TRUE(WriteFileAtomically(dir_.path() + "/scm.db", std::string(8192, '\1')).ok());
  EXPECT_EQ(SqliteStore::Open({dir_.path()}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SchemaTest, NumbersGrowByOneAndEveryColumnIsNotNull) {
  int64_t expected = 0;
  for (const Migration& migration : SchemaMigrations()) EXPECT_EQ(migration.version, ++expected);
  ASSERT_TRUE(SqliteStore::Open({dir_.path()}).ok());
  EXPECT_EQ(Open()
                ->Value("SELECT count(c.name) FROM sqlite_schema s, pragma_table_info(s.name) c"
                        " WHERE s.type = 'table' AND c.\"notnull\" = 0")
                .value(),
            "0");
}

// Queries that page must not scan: the planner is asked.
TEST_F(SchemaTest, PagesUseIndexes) {
  ASSERT_TRUE(SqliteStore::Open({dir_.path()}).ok());
  auto db = Open();
  for (const char* query :
       {"SELECT position FROM metrics WHERE run = 'r-1' AND position > 5 ORDER BY position LIMIT 9",
        "SELECT text FROM events WHERE experiment = 'e-1' AND sequence > 5 ORDER BY sequence"}) {
    auto plan = db->Prepare(std::string("EXPLAIN QUERY PLAN ") + query);
    ASSERT_TRUE(plan.ok()) << plan.status();
    ASSERT_TRUE(plan->Step().value());
    EXPECT_EQ(plan->TextAt(3).find("SEARCH"), 0u) << plan->TextAt(3);
    EXPECT_FALSE(plan->Step().value()) << "no sorting step: " << query;
  }
}

}  // namespace
}  // namespace scm::store
