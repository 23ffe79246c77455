// What a worker remembers of its coordinator, by which a store that is older than that is found
// out; and what it says of itself.
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/daemon_fixture.h"
#include "worker/attempt/ended_leases.h"

namespace scm::worker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

LeaseRef LeaseNumber(int n) { return {LeaseId::FromNumber(n), TaskId("k-1"), n, n}; }

TEST(EndedLeases, KeepsTheLatestThroughARestart) {
  const fake::TempDir dir;
  const std::string path = dir / "ended.json";
  EXPECT_THAT(EndedLeases(path).latest(), IsEmpty());
  EndedLeases first(path);
  for (int n = 1; n <= 100; ++n) first.Add(LeaseNumber(n));
  const std::vector<LeaseRef> again = EndedLeases(path).latest();
  ASSERT_EQ(again.size(), EndedLeases::kKept);
  EXPECT_EQ(again.front(), LeaseNumber(37));
  EXPECT_EQ(again.back(), LeaseNumber(100));
}

TEST(EndedLeases, AFileThatIsNoneOfItsOwnIsNothing) {
  const fake::TempDir dir;
  for (const char* text : {"", "{}", "[1, 2", "nonsense"}) {
    WriteText(dir / "ended.json", text);
    EXPECT_THAT(EndedLeases(dir / "ended.json").latest(), IsEmpty()) << text;
  }
}

TEST_F(DaemonTest, SaysAtEveryRegistrationWhatWasAcknowledged) {
  const LeaseRef first = h.Grant(FakeSpec(Json::object(), 5));
  ASSERT_TRUE(h.StepUntilEnded(first));
  h.StepUntil([&] { return h.Forgotten(1); }, "the end of the first attempt");
  const LeaseRef second = h.Grant(FakeSpec({{"step_ms", 5}}, 100000, 20), 2);
  StepUntilReported(second, "\"step\":6,");
  h.StepUntil([&] { return FileExists(h.Directory(2) + "/acked.json"); }, "an acknowledgement");
  h.StopDaemon();
  h.StartDaemon();
  h.StepUntil([&] { return h.coordinator.registrations.size() > 1; }, "another registration");
  const Register& hello = h.coordinator.registrations.back();
  EXPECT_THAT(hello.live, ElementsAre(second));
  ASSERT_EQ(hello.acknowledged.size(), 1u);
  EXPECT_GT(hello.acknowledged[0], 0);
  EXPECT_LE(hello.acknowledged[0], static_cast<int64_t>(Reports(second).size()));
  EXPECT_THAT(hello.ended, ElementsAre(first));
}

TEST_F(DaemonTest, SaysAgainWhatWasLost) {
  h.coordinator.lose_batches = 1;
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 20}}, 12));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.coordinator.lose_batches, 0);
  for (const char* part : {"\"started\"", "\"step\":1,", "\"step\":12,", "\"done\""}) {
    EXPECT_NE(Reports(lease).find(part), std::string::npos) << part;
  }
}

// Nothing follows that would show the gap.
TEST_F(DaemonTest, SaysAgainTheLastWordThatWasLost) {
  h.coordinator.lose_batches = 1;
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5), 1,
                                 {"/bin/sh", "-c", "echo '{\"type\":\"started\"}' >&3"});
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.coordinator.lose_batches, 0);
  EXPECT_EQ(Reports(lease), "{\"type\":\"started\"}\n");
}

}  // namespace
}  // namespace scm::worker
