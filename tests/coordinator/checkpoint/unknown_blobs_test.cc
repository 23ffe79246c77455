// Blobs that no row knows: found, and taken out of sight without being lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "coordinator/checkpoint/local_store.h"
#include "tests/coordinator/checkpoint/blobs.h"
#include "tests/fakes/temp_dir.h"

namespace scm::checkpoint {
namespace {

class UnknownBlobsTest : public testing::Test {
 protected:
  UnknownBlobsTest() {
    for (const char* id : {"r-1/10", "r-1/20", "r-2/10"}) {
      EXPECT_TRUE(Upload(*store_, Checkpoint(id)).ok());
    }
  }
  std::vector<std::string> Unknown(const std::set<std::string>& known) {
    std::vector<std::string> ids;
    const auto found = store_->Unknown(known);
    EXPECT_TRUE(found.ok()) << found.status();
    for (const CommittedBlob& blob : found.value_or(std::vector<CommittedBlob>())) {
      ids.push_back(blob.id);
    }
    return ids;
  }

  fake::TempDir dir_;
  const std::string root_ = dir_.path() + "/checkpoints";
  std::unique_ptr<LocalStore> store_ = *LocalStore::Open({root_});
};

TEST_F(UnknownBlobsTest, WholeOnesWithoutARowAreNamed) {
  EXPECT_THAT(Unknown({}), testing::ElementsAre("r-1/10", "r-1/20", "r-2/10"));
  EXPECT_THAT(Unknown({"r-1/10", "r-2/10"}), testing::ElementsAre("r-1/20"));
  // What is not whole is left to the sweep.
  ASSERT_TRUE(RemoveRecursively(root_ + "/blobs/r-1/20/empty").ok());
  ASSERT_TRUE(RemoveRecursively(root_ + "/blobs/r-2/10/manifest.json").ok());
  EXPECT_THAT(Unknown({"r-1/10"}), testing::IsEmpty());
}

TEST_F(UnknownBlobsTest, SetAsideIsOutOfSightAndSurvivesTheSweep) {
  const auto place = store_->SetAside("r-1/20");
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(*place, root_ + "/aside/r-1/20");
  EXPECT_TRUE(absl::IsNotFound(store_->Find("r-1/20").status()));
  ASSERT_TRUE(store_->Sweep({"r-1/10", "r-2/10"}).ok());
  EXPECT_TRUE(FileExists(*place + "/adapter_model.safetensors"));
  // Its place is free for what is made again, and the same id may be set aside again.
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-1/20", 1, 'b')).ok());
  EXPECT_TRUE(store_->Verify("r-1/20").ok());
  ASSERT_TRUE(store_->SetAside("r-1/20").ok());
  EXPECT_EQ(ReadFile(*place + "/adapter_model.safetensors").value()[0], 'b');
  EXPECT_TRUE(absl::IsNotFound(store_->SetAside("r-9/9").status()));
  EXPECT_FALSE(store_->SetAside("../x").ok());
}

}  // namespace
}  // namespace scm::checkpoint
