#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answers/message_json.h"
#include "coordinator/rpc/doctor.h"
#include "coordinator/state/table_writer.h"
#include "tests/fakes/memory_blobs.h"

namespace scm::rpc {
namespace {

using testing::HasSubstr;

class Doctor : public testing::Test {
 protected:
  Doctor() {
    dependencies_.checkpoints = &blobs_;
    dependencies_.version = "1.2.3";
    dependencies_.min_free_bytes = 100;
    dependencies_.free_bytes = [this] { return free_; };
    state::TableWriter::Insert(cluster_.workers, WorkerId("w-1"), WorkerOf(WorkerState::kReady));
  }
  static Worker WorkerOf(WorkerState state) {
    Worker worker;
    worker.host = "host";
    worker.state = state;
    return worker;
  }
  Json View() {
    return answers::ToJson(DoctorView(cluster_.Publish(absl::UnixEpoch()), health_, dependencies_));
  }
  // "STATE: TEXT" of one check.
  std::string Said(const std::string& name) {
    const Json view = View();
    for (const Json& check : MemberAt(view, "checks")) {
      EXPECT_EQ(MemberAt(check, "advice").is_null(), StringAt(check, "state") == "ok");
      if (StringAt(check, "check") == name) {
        return absl::StrCat(StringAt(check, "state"), ": ", StringAt(check, "text"));
      }
    }
    return "";
  }

  state::Cluster cluster_;
  fake::MemoryBlobs blobs_;
  state::StoreHealth health_;
  ServiceDependencies dependencies_;
  absl::StatusOr<int64_t> free_ = int64_t{100} << 30;
};

TEST_F(Doctor, AllIsWell) {
  for (const char* check : {"store", "rows", "checkpoints", "disk", "workers"}) {
    EXPECT_THAT(Said(check), testing::StartsWith("ok: ")) << check;
  }
  EXPECT_EQ(View()["version"], "1.2.3");
}

TEST_F(Doctor, TheStoreAndItsRows) {
  health_.check.unchecked = {"metrics"};
  EXPECT_THAT(Said("store"), HasSubstr("ok: looked through"));
  EXPECT_THAT(Said("store"), HasSubstr("metrics"));
  health_.check.problems = {"table runs: row 3 missing from index"};
  EXPECT_THAT(Said("store"), testing::StartsWith("problem: table runs: row 3"));
  for (int i = 0; i < 7; ++i) {
    health_.set_aside.push_back({"runs", absl::StrCat("r-", i), "e-1", "no JSON"});
  }
  EXPECT_THAT(Said("rows"), HasSubstr("problem: 7 set aside at the start: runs r-0: no JSON;"));
  EXPECT_THAT(Said("rows"), HasSubstr("and 2 more"));
}

TEST_F(Doctor, CheckpointsAgainstTheirRows) {
  checkpoint::Manifest manifest{"r-1/10", 1, 1, 10, {}};
  auto writer = blobs_.Begin(manifest);
  const checkpoint::CommittedBlob blob = *(*writer)->Commit();
  CheckpointRecord record;
  record.id = "r-1/10";
  record.sha256 = blob.sha256;
  state::TableWriter::Insert(cluster_.checkpoints, record.id, record);
  EXPECT_THAT(Said("checkpoints"), HasSubstr("ok: 1 checkpoints and artifacts"));
  state::TableWriter::Mutate(cluster_.checkpoints, record.id).sha256 = "another";
  EXPECT_THAT(Said("checkpoints"), HasSubstr("problem: not as committed: r-1/10: its manifest"));
  record.id = "r-1/20";
  state::TableWriter::Insert(cluster_.checkpoints, record.id, record);
  EXPECT_THAT(Said("checkpoints"), HasSubstr("r-1/20: no blob"));
  for (const char* id : {"r-1/10", "r-1/20"})
    state::TableWriter::Mutate(cluster_.checkpoints, id).deleted = true;
  EXPECT_THAT(Said("checkpoints"), HasSubstr("ok: 0 checkpoints"));
}

TEST_F(Doctor, TheDisk) {
  free_ = 1000;
  EXPECT_THAT(Said("disk"), testing::StartsWith("warning: "));
  free_ = 99;
  EXPECT_THAT(Said("disk"), HasSubstr("problem: 99 B free in the data directory: nothing new"));
  free_ = absl::NotFoundError("gone");
  EXPECT_THAT(Said("disk"), testing::StartsWith("warning: free room unknown: gone"));
}

TEST_F(Doctor, Workers) {
  EXPECT_EQ(Said("workers"), "ok: 1 READY");
  state::TableWriter::Insert(cluster_.workers, WorkerId("w-2"), WorkerOf(WorkerState::kLost));
  EXPECT_EQ(Said("workers"), "warning: 1 LOST (w-2 on host), 1 READY");
  state::TableWriter::Mutate(cluster_.workers, WorkerId("w-1")).state = WorkerState::kQuarantined;
  EXPECT_EQ(Said("workers"),
            "problem: 1 LOST (w-2 on host), 1 QUARANTINED (w-1 on host): nothing new can run");
  state::TableWriter::Forget(cluster_.workers, WorkerId("w-1"));
  state::TableWriter::Forget(cluster_.workers, WorkerId("w-2"));
  EXPECT_EQ(Said("workers"), "problem: none has registered: nothing can run");
}

}  // namespace
}  // namespace scm::rpc
