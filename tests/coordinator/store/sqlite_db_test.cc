// The wrapper over SQLite: modes, transactions and error codes.
#include "coordinator/store/sqlite_db.h"

#include <gtest/gtest.h>

#include "tests/fakes/temp_dir.h"

namespace scm::store {
namespace {

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() : path_(dir_.path() + "/a.db") {
    auto database = Database::Open(path_);
    EXPECT_TRUE(database.ok()) << database.status();
    db_ = *std::move(database);
    EXPECT_TRUE(db_->Execute("CREATE TABLE t (a TEXT NOT NULL UNIQUE)").ok());
  }

  std::string Count() { return db_->Value("SELECT count(a) FROM t").value(); }

  fake::TempDir dir_;
  std::string path_;
  std::unique_ptr<Database> db_;
};

TEST_F(DatabaseTest, HasTheModesThatDurabilityNeeds) {
  EXPECT_EQ(db_->Value("PRAGMA journal_mode").value(), "wal");
  EXPECT_EQ(db_->Value("PRAGMA synchronous").value(), "2");
  EXPECT_EQ(db_->Value("PRAGMA locking_mode").value(), "exclusive");
  EXPECT_FALSE(FileExists(path_ + "-shm")) << "the exclusive lock keeps the index in memory";
}

TEST_F(DatabaseTest, TransactionRollsBackUnlessCommitted) {
  {
    auto transaction = Transaction::Begin(*db_);
    ASSERT_TRUE(transaction.ok());
    EXPECT_TRUE(db_->Execute("INSERT INTO t (a) VALUES ('x')").ok());
    EXPECT_EQ(Count(), "1");
  }
  EXPECT_EQ(Count(), "0");
  auto transaction = Transaction::Begin(*db_);
  ASSERT_TRUE(transaction.ok());
  EXPECT_TRUE(db_->Execute("INSERT INTO t (a) VALUES ('x')").ok());
  EXPECT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(Count(), "1");
}

TEST_F(DatabaseTest, StatementsCanBeUsedAgainAfterAnError) {
  auto insert = db_->Prepare("INSERT INTO t (a) VALUES (?1)");
  ASSERT_TRUE(insert.ok());
  EXPECT_TRUE(insert->Text(1, "x").Run().ok());
  const absl::Status twice = insert->Text(1, "x").Run();
  EXPECT_EQ(twice.code(), absl::StatusCode::kInternal);
  EXPECT_NE(std::string(twice.message()).find("UNIQUE"), std::string::npos) << twice;
  EXPECT_FALSE(insert->Text(5, "no such parameter").Run().ok());
  EXPECT_TRUE(insert->Text(1, "").Run().ok()) << "empty is not NULL";
  EXPECT_FALSE(insert->Run().ok()) << "bindings do not live on";
  EXPECT_EQ(Count(), "2");
}

TEST_F(DatabaseTest, SecondConnectionIsRefused) {
  const auto second = Database::Open(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(second.status().message()).find("another program has it open"),
            std::string::npos);
}

TEST_F(DatabaseTest, DamageAndOtherErrorsHaveTheirCodes) {
  EXPECT_EQ(db_->Execute("SELECT nothing FROM nowhere").code(), absl::StatusCode::kInternal);
  const std::string other = dir_.path() + "/other.db";
  ASSERT_TRUE(WriteFileAtomically(other, std::string(4096, 'x')).ok());
  EXPECT_EQ(Database::Open(other).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(Database::Open(dir_.path() + "/none/a.db").ok());
}

TEST_F(DatabaseTest, FullIsResourceExhaustedAndPasses) {
  ASSERT_TRUE(db_->Value("PRAGMA max_page_count = 4").ok());
  auto insert = db_->Prepare("INSERT INTO t (a) VALUES (?1)");
  ASSERT_TRUE(insert.ok());
  const std::string large(100'000, 'x');
  EXPECT_EQ(insert->Text(1, large).Run().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(db_->Value("PRAGMA max_page_count = 1000").ok());
  EXPECT_TRUE(insert->Text(1, large).Run().ok());
}

}  // namespace
}  // namespace scm::store
