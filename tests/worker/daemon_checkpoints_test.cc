// Checkpoints on their way through the daemon: uploads, local copies, resumption.
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/daemon_fixture.h"

namespace scm::worker {
namespace {

using Kind = ProcessEvent::Kind;
using testing::HasSubstr;
using testing::IsEmpty;

class DaemonCheckpointsTest : public DaemonTest {
 protected:
  // The final adapter of an uninterrupted run of `spec`.
  std::string Uninterrupted(const Json& spec, int64_t step) {
    Harness other;
    const LeaseRef lease = other.Grant(spec);
    other.StepUntilEnded(lease);
    return other.coordinator.blobs[absl::StrCat("r-1/", step)].files["adapter.bin"];
  }
};

TEST_F(DaemonCheckpointsTest, UploadsAreTriedAgain) {
  h.coordinator.upload_answers = {absl::UnavailableError("busy"),
                                  absl::ResourceExhaustedError("disk full"),
                                  absl::DataLossError("damaged on the way")};
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 10));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).exit_code, 0);
  EXPECT_EQ(h.coordinator.uploads, 3 + 2);
}

TEST_F(DaemonCheckpointsTest, AFinalRefusalEndsTheAttempt) {
  for (int i = 0; i < 8; ++i) {
    h.coordinator.upload_answers.push_back(absl::InvalidArgumentError("never"));
  }
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  EXPECT_NE(h.End(lease).exit_code, 0);
  EXPECT_FALSE(h.End(lease).retryable);
  EXPECT_THAT(h.End(lease).message, HasSubstr("never"));
  // Reports before the checkpoint arrived, the checkpoint's did not.
  EXPECT_THAT(Reports(lease), HasSubstr("\"step\":5"));
  EXPECT_FALSE(Contains(Reports(lease), "\"checkpoint\""));
}

TEST_F(DaemonCheckpointsTest, ACoordinatorWithoutRoomIsNotAskedForEver) {
  h.coordinator.upload_answers.assign(1000,
                                      absl::ResourceExhaustedError("no room for r-1/5: much"));
  h.context().upload_patience = absl::Minutes(2);  // of the harness's fast time
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  EXPECT_NE(h.End(lease).exit_code, 0);
  EXPECT_THAT(h.End(lease).message,
              HasSubstr("(checkpoint 5) cannot be stored: no room for r-1/5: much"));
  EXPECT_GT(h.coordinator.uploads, 4) << "a wrong file would have been given up by then";
}

TEST_F(DaemonCheckpointsTest, ACancelledRunDoesNotWaitForRoom) {
  h.coordinator.upload_answers.assign(1000, absl::ResourceExhaustedError("no room for r-1/5"));
  h.context().upload_patience = absl::InfiniteDuration();
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  h.StepUntil([&] { return h.coordinator.uploads > 2; }, "a refusal");
  h.coordinator.SendCommand(lease, R"({"cmd":"stop","reason":"cancel","grace_seconds":3000})");
  ASSERT_TRUE(h.StepUntilEnded(lease));
}

TEST_F(DaemonCheckpointsTest, ACancelDoesNotWaitForRoomAfterTheTrainersEnd) {
  h.coordinator.upload_answers.assign(1000, absl::ResourceExhaustedError("no room for r-1/5"));
  h.context().upload_patience = absl::InfiniteDuration();
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 10));
  h.StepUntil([&] { return FileExists(h.Directory(1) + "/exit.json"); }, "exit.json");
  h.StepUntil([&] { return h.coordinator.uploads > 2; }, "a refusal");
  h.coordinator.SendCommand(lease, R"({"cmd":"stop","reason":"cancel","grace_seconds":3000})");
  ASSERT_TRUE(h.StepUntilEnded(lease));
}

TEST_F(DaemonCheckpointsTest, AnInputLargerThanTheDiskIsSaidAndNotFetched) {
  h.coordinator.blobs["r-1/10"] = {
      R"({"id":"r-1/10","files":[{"path":"a","bytes":1000000000000000000,"sha256":"00"}]})",
      {{"a", "xy"}}};
  Json spec = FakeSpec(Json::object(), 20);
  spec["resume_from"] = {{"step", 10}, {"dir", "scm:r-1/10"}};
  const LeaseRef lease = h.Grant(spec);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  // Unlike a disk that somebody filled, it counts: it would be tried here for ever.
  EXPECT_EQ(h.End(lease).kind, Kind::kStartFailed);
  EXPECT_TRUE(h.End(lease).retryable);
  EXPECT_THAT(h.End(lease).message, HasSubstr("r-1/10 has 1000000"));
  EXPECT_THAT(h.End(lease).message, HasSubstr("and the worker's disk"));
  EXPECT_GT(h.coordinator.downloads, 1) << "there might have been room a moment later";
}

TEST_F(DaemonCheckpointsTest, ACheckpointThatIsNotThereEndsTheAttempt) {
  const LeaseRef lease = h.Grant(FakeSpec({{"bad_checkpoint", true}, {"step_ms", 5}}, 100000));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  EXPECT_THAT(h.End(lease).message, HasSubstr("step-5 does not exist"));
  EXPECT_EQ(h.coordinator.uploads, 0);
}

TEST_F(DaemonCheckpointsTest, LocalCheckpointsGoWhenCommitted) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 2}, {"hang_at_step", 18}}, 100));
  h.StepUntil([&] { return h.coordinator.blobs.count("r-1/15") != 0; }, "step 15");
  const std::string checkpoints = h.Directory(1) + "/work/checkpoints";
  h.StepUntil([&] { return ListDirectory(checkpoints)->empty(); }, "the removal");
  // The newest one stays as a local copy, for a resume on this worker.
  const std::vector<std::string> cached = *ListDirectory(h.work / "cache");
  ASSERT_EQ(cached.size(), 1u);
  EXPECT_THAT(cached[0], HasSubstr("r-1+15"));
  h.coordinator.SendRevoke(lease);
  h.StepUntil([&] { return h.Forgotten(1); }, "the kill");
}

TEST_F(DaemonCheckpointsTest, ResumesExactly) {
  const std::string whole = Uninterrupted(FakeSpec(Json::object(), 20), 20);
  ASSERT_FALSE(whole.empty());
  const LeaseRef first = h.Grant(FakeSpec({{"exit_at_step", 13}, {"fault_attempts", 1}}, 20));
  ASSERT_TRUE(h.StepUntilEnded(first));
  EXPECT_EQ(h.End(first).exit_code, 1);
  EXPECT_TRUE(h.End(first).retryable);

  Json spec = FakeSpec({{"exit_at_step", 13}, {"fault_attempts", 1}}, 20);
  spec["resume_from"] = {{"step", 10}, {"dir", "scm:r-1/10"}};
  const LeaseRef second = h.Grant(spec, 2);
  ASSERT_TRUE(h.StepUntilEnded(second));
  EXPECT_EQ(h.End(second).exit_code, 0) << h.coordinator.lease(second).log;
  EXPECT_FALSE(Contains(Reports(second), "\"step\":10"));
  EXPECT_EQ(h.coordinator.blobs["r-1/20"].files["adapter.bin"], whole);
  // The checkpoint was here already: only its manifest and one chunk came over.
  EXPECT_EQ(h.coordinator.downloads, 1);
  EXPECT_EQ(h.coordinator.chunks, 1);
}

// Each run of a pack takes up its own checkpoint; the one that is told to stop says so, and the
// other goes on to its end.
TEST_F(DaemonCheckpointsTest, APackResumesEachOfItsRunsAndStopsOne) {
  Json spec = FakeSpec(Json::object(), 20);
  const Json parameters = spec["parameters"];
  spec["run"] = nullptr;
  const auto run = [&parameters](const char* id, int64_t seed, Json resume) {
    return Json{{"id", id},
                {"trial", nullptr},
                {"seed", seed},
                {"parameters", parameters},
                {"resume_from", std::move(resume)}};
  };
  spec["runs"] = {run("r-1", 11, nullptr), run("r-2", 12, nullptr)};
  const LeaseRef first = h.Grant(spec);
  ASSERT_TRUE(h.StepUntilEnded(first));
  EXPECT_EQ(h.End(first).exit_code, 0) << h.coordinator.lease(first).log;
  const auto whole = h.coordinator.blobs;
  ASSERT_TRUE(whole.contains("r-1/20") && whole.contains("r-2/20"));

  h.coordinator.blobs = {{"r-1/10", whole.at("r-1/10")}, {"r-2/5", whole.at("r-2/5")}};
  spec["runs"] = {run("r-1", 11, {{"step", 10}, {"dir", "scm:r-1/10"}}),
                  run("r-2", 12, {{"step", 5}, {"dir", "scm:r-2/5"}})};
  const LeaseRef second = h.Grant(spec, 2);
  // Told before there is a process that could hear it.
  h.coordinator.SendCommand(
      second,
      R"({"cmd":"stop","run":"r-2","reason":"abort","checkpoint":false,"grace_seconds":9})");
  ASSERT_TRUE(h.StepUntilEnded(second));
  EXPECT_EQ(h.End(second).exit_code, 0) << h.coordinator.lease(second).log;
  EXPECT_EQ(h.coordinator.blobs["r-1/20"].files, whole.at("r-1/20").files);
  EXPECT_THAT(Reports(second), HasSubstr(R"("run":"r-2")"));
  EXPECT_THAT(Reports(second), HasSubstr(R"("stopped")"));
  EXPECT_FALSE(h.coordinator.blobs.contains("r-2/20"));
  EXPECT_FALSE(Contains(Reports(second), R"("step":0,)"));
}

TEST_F(DaemonCheckpointsTest, ResumesFromAnotherWorkersCheckpoint) {
  Harness other;
  const LeaseRef first = other.Grant(FakeSpec({{"exit_at_step", 13}}, 20));
  ASSERT_TRUE(other.StepUntilEnded(first));
  h.coordinator.blobs = other.coordinator.blobs;
  Json spec = FakeSpec(Json::object(), 20);
  spec["resume_from"] = {{"step", 10}, {"dir", "scm:r-1/10"}};
  const LeaseRef second = h.Grant(spec, 2);
  ASSERT_TRUE(h.StepUntilEnded(second));
  EXPECT_EQ(h.End(second).exit_code, 0) << h.coordinator.lease(second).log;
  EXPECT_EQ(h.coordinator.chunks, 2);
  EXPECT_EQ(h.coordinator.blobs["r-1/20"].files["adapter.bin"],
            Uninterrupted(FakeSpec(Json::object(), 20), 20));
}

TEST_F(DaemonCheckpointsTest, ADamagedDownloadDoesNotStart) {
  h.coordinator.blobs["r-1/10"] = {
      R"({"id":"r-1/10","files":[{"path":"a","bytes":2,"sha256":"00"}]})", {{"a", "xy"}}};
  Json spec = FakeSpec(Json::object(), 20);
  spec["resume_from"] = {{"step", 10}, {"dir", "scm:r-1/10"}};
  h.coordinator.damage_downloads = true;
  const LeaseRef lease = h.Grant(spec);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kStartFailed);
  EXPECT_TRUE(h.End(lease).retryable);
  EXPECT_THAT(h.End(lease).message, HasSubstr("SHA-256"));
}

TEST_F(DaemonCheckpointsTest, CommittedFilesStayUntilTheirRecordIsSafe) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 10}}, 100000, 15));
  StepUntilReported(lease, "\"started\"");
  // A directory in its place: acked.json cannot be written.
  const std::string acked = h.Directory(1) + "/acked.json";
  ASSERT_TRUE(RemoveRecursively(acked).ok());
  ASSERT_TRUE(MakeDirectories(acked + "/in-the-way").ok());
  StepUntilReported(lease, "\"step\":17,");
  EXPECT_TRUE(FileExists(h.Directory(1) + "/work/checkpoints/step-15"));
  // A daemon that starts now may read that line again, and finds its files.
  h.StopDaemon();
  ASSERT_TRUE(RemoveRecursively(acked).ok());
  h.StartDaemon();
  StepUntilReported(lease, "\"step\":32,");
  EXPECT_THAT(h.coordinator.lease(lease).ends, IsEmpty());
  h.StepUntil([&] { return !FileExists(h.Directory(1) + "/work/checkpoints/step-30"); },
              "the removal of what is recorded");
  h.coordinator.SendRevoke(lease);
  h.StepUntil([&] { return h.Forgotten(1); }, "the kill");
}

}  // namespace
}  // namespace scm::worker
