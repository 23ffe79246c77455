#include "coordinator/state/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace scm::state {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

template <typename Record>
Record WithId(const std::string& id) {
  Record record;
  record.id = decltype(record.id)(id);
  return record;
}

// Every record there is.
std::set<const void*> Everything(Cluster& cluster) {
  std::set<const void*> records;
  ForEachTable(
      [&records](store::EntityTable, const auto& table) {
        for (const auto& [id, record] : table.all()) records.insert(record.get());
      },
      cluster);
  return records;
}

// By an id that is taken nothing comes in, whatever it is, and what is there stays.
template <typename Record>
void IsAddedOnce(const std::string& id) {
  Cluster cluster;
  ASSERT_TRUE(cluster.Add(WithId<Record>(id)).ok());
  const std::set<const void*> before = Everything(cluster);
  EXPECT_THAT(before, SizeIs(1));
  const absl::Status again = cluster.Add(WithId<Record>(id));
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists) << again;
  EXPECT_EQ(again.message(), "there is a record " + id + " already");
  EXPECT_EQ(Everything(cluster), before);
}

TEST(ACluster, TakesARecordOnceByItsId) {
  IsAddedOnce<Experiment>("e-1");
  IsAddedOnce<Trial>("i-1");
  IsAddedOnce<scm::Run>("r-1");
  IsAddedOnce<Task>("t-1");
  IsAddedOnce<Worker>("w-1");
  IsAddedOnce<CertificateRecord>("c-1");
}

TEST(ACluster, KeepsWhatIsThereWhereAnIdComesTwice) {
  Cluster cluster;
  Task task = WithId<Task>("t-1");
  task.experiment = ExperimentId("e-1");
  task.state = State::kSucceeded;
  ASSERT_TRUE(cluster.Add(task).ok());
  task.state = State::kPending;
  EXPECT_FALSE(cluster.Add(task).ok());
  EXPECT_EQ(cluster.tasks.Find(task.id)->state, State::kSucceeded);
  EXPECT_THAT(cluster.TasksOf(task.experiment), ElementsAre(cluster.tasks.Find(task.id)));
  EXPECT_TRUE(cluster.open_tasks().empty());
}

TEST(ACluster, TakesABlobThatIsStoredAgainInPlaceOfTheEarlierOne) {
  Cluster cluster;
  CheckpointRecord checkpoint = WithId<CheckpointRecord>("r-1/20");
  checkpoint.deleted = true;
  cluster.Put(checkpoint);
  checkpoint.deleted = false;
  cluster.Put(checkpoint);
  EXPECT_FALSE(cluster.checkpoints.Find("r-1/20")->deleted);
}

TEST(ACluster, KnowsWhichExperimentARequestMade) {
  Cluster cluster;
  EXPECT_EQ(cluster.ExperimentOfRequest("a"), nullptr);
  cluster.AddRequest("a", "e-1");
  ASSERT_NE(cluster.ExperimentOfRequest("a"), nullptr);
  EXPECT_EQ(*cluster.ExperimentOfRequest("a"), "e-1");
}

}  // namespace
}  // namespace scm::state
