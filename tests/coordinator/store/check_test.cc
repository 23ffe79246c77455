// A look through the store: what is damaged is named, and nobody waits longer than was allowed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/fakes/temp_dir.h"

namespace scm::store {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class Check : public testing::Test {
 protected:
  Check() { Open(); }
  void Open() { store_ = SqliteStore::Open({dir_.path()}).value(); }
  void Fill(int rows) {
    WriteBatch batch;
    for (int i = 0; i < rows; ++i) {
      batch.upserts.push_back(
          {EntityTable::kRuns, absl::StrCat("r-", i), "e-1", std::string(500, 'x')});
      batch.metrics.push_back({"r-1", 1, i, "train_loss", 0.5});
    }
    ASSERT_TRUE(store_->Commit(batch).ok());
  }
  void Execute(const std::string& sql) {
    store_.reset();
    auto database = Database::Open(dir_.path() + "/scm.db");
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->Execute(sql).ok());
    database->reset();
    Open();
  }

  fake::TempDir dir_;
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(Check, ASoundStoreHasNoProblems) {
  Fill(1000);
  EXPECT_EQ(store_->Check(absl::Minutes(5)), StoreCheck());
}

TEST_F(Check, WithoutTimeEveryTableThatTakesSomeIsNamed) {
  Fill(20000);
  const StoreCheck check = store_->Check(absl::ZeroDuration());
  EXPECT_THAT(check.problems, IsEmpty());
  EXPECT_THAT(check.unchecked, Contains("runs"));
  EXPECT_THAT(check.unchecked, Contains("metrics"));
  // The store is as good as before.
  EXPECT_EQ(store_->ReadMetrics("r-1", 0, 100)->size(), 100u);
  EXPECT_EQ(store_->Check(absl::Minutes(5)), StoreCheck());
}

TEST_F(Check, DamagedPagesAreNamedByTheirTable) {
  Fill(2000);
  store_.reset();
  const std::string path = dir_.path() + "/scm.db";
  std::string bytes = ReadFile(path).value();
  // Row ids out of order: as after a block that was written to the wrong place.
  const size_t page = 4096, last = bytes.size() / page - 1;
  for (size_t i = 40; i + 40 < last; i += 20) {
    std::swap_ranges(bytes.begin() + i * page, bytes.begin() + (i + 1) * page,
                     bytes.begin() + (i + 30) * page);
  }
  ASSERT_TRUE(WriteFileDurably(path, bytes).ok());
  Open();
  const StoreCheck check = store_->Check(absl::Minutes(5));
  ASSERT_FALSE(check.problems.empty());
  EXPECT_THAT(check.problems[0], testing::StartsWith("table "));
}

TEST_F(Check, AMetricThatIsNoNumberIsLeftOutAndNamed) {
  Fill(10);
  Execute("UPDATE metrics SET value = 'half' WHERE step = 3");
  EXPECT_EQ(store_->ReadMetrics("r-1", 0, 100)->size(), 9u);
  EXPECT_THAT(
      store_->Check(absl::Minutes(5)).problems,
      testing::ElementsAre(HasSubstr("a value of train_loss of r-1 at step 3 is no number")));
}

}  // namespace
}  // namespace scm::store
