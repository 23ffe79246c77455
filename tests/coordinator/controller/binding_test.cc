// A worker acts on its own leases only, whatever ids it knows, and is who it says it is.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::HasSubstr;

struct TwoWorkers {
  TwoWorkers() {
    owner = h.AddWorker(4);
    h.Submit(TestFile("replicate"));
    task = h.Tasks(StageKind::kReplicate).at(0);
    h.Started(task);
    other = h.AddWorker(4);
    lease = Harness::Ref(*h.TaskAt(task));
  }

  Harness h;
  WorkerId owner, other;
  TaskId task;
  LeaseRef lease;
};

TEST(Binding, WordsAboutAnothersLeaseChangeNothing) {
  TwoWorkers s;
  const std::string rows =
      "{\"type\":\"progress\",\"step\":9,\"metrics\":{\"train_loss\":0}}\n{\"type\":\"done\"}\n";
  checkpoint::CommittedBlob blob;
  blob.id = "r-1/10";
  using Kind = ProcessInput::Kind;
  const std::vector<std::pair<const char*, Input>> forged = {
      {"rows", ReportsInput{s.other, s.lease, 0, core::ReadReportLines(rows)}},
      {"an end", ProcessInput{s.other, s.lease, Kind::kExited, 0, "", false}},
      {"a kill", ProcessInput{s.other, s.lease, Kind::kKilled, 137, "", true}},
      {"a failed start", ProcessInput{s.other, s.lease, Kind::kStartFailed, 0, "no", false}},
      {"a checkpoint", BlobInput{s.lease, true, 10, "", blob, s.other}},
      {"an artifact", BlobInput{s.lease, false, 0, "evaluation", blob, s.other}},
      {"an upload of nobody", BlobInput{s.lease, true, 10, "", blob, WorkerId()}},
  };
  const Task before = *s.h.TaskAt(s.task);
  for (const auto& [what, input] : forged) {
    SCOPED_TRACE(what);
    const absl::StatusOr<Reply> answer = s.h.Give(input);
    if (std::holds_alternative<BlobInput>(input)) {
      EXPECT_TRUE(absl::IsFailedPrecondition(answer.status()));
    }
    const Task& after = *s.h.TaskAt(s.task);
    EXPECT_EQ(s.h.StateOf(s.task), "RUNNING");
    EXPECT_EQ(after.report_offset, before.report_offset);
    EXPECT_TRUE(after.ending.is_null());
    EXPECT_EQ(s.h.RunOf(s.task)->step, 0);
    EXPECT_TRUE(s.h.snapshot()->checkpoints->empty());
    EXPECT_TRUE(s.h.snapshot()->artifacts->empty());
  }
  EXPECT_EQ(s.h.CountEvents("worker_refused"), 1);
}

TEST(Binding, NobodyRenewsOrRegistersAnothersLease) {
  TwoWorkers s;
  s.h.Silence(s.owner);
  for (int second = 0; second < 40; ++second) {
    EXPECT_TRUE(s.h.Give(RenewInput{s.other, {s.lease}, {}}).ok());
    s.h.Return(s.other, {s.lease});
    s.h.Advance(absl::Seconds(1));
  }
  EXPECT_NE(s.h.StateOf(s.task), "RUNNING");
  for (const auto& [link, output] : s.h.sent) {
    const auto* registered = std::get_if<RegisteredOutput>(&output);
    if (registered != nullptr && registered->worker == s.other) {
      EXPECT_TRUE(registered->kept.empty());
    }
  }
}

RegisterInput Hello(const std::string& instance, const std::string& key, int64_t link) {
  RegisterInput hello;
  hello.link = link;
  hello.instance = instance;
  hello.host = "host";
  hello.cpus = 1;
  hello.key_digest = key;
  return hello;
}

TEST(Binding, AnInstanceIsWhoShowsItsKey) {
  struct Try {
    const char* key;
    bool taken;
  };
  // One after the other, of the same instance.
  const std::vector<std::vector<Try>> stories = {
      {{"k1", true}, {"k1", true}, {"k2", false}, {"", false}, {"k1", true}},
      // An older worker has none; it goes on until the first key binds.
      {{"", true}, {"", true}, {"k1", true}, {"", false}, {"k2", false}},
  };
  for (const std::vector<Try>& story : stories) {
    Harness h;
    int64_t link = 100;
    for (const auto& [key, taken] : story) {
      SCOPED_TRACE(key);
      h.sent.clear();
      EXPECT_EQ(h.Give(Hello("inst", key, ++link)).ok(), taken);
      ASSERT_FALSE(h.sent.empty());
      EXPECT_EQ(h.sent.front().first, link);
      const auto* refused = std::get_if<RefusedOutput>(&h.sent.front().second);
      EXPECT_EQ(refused == nullptr, taken);
      if (refused == nullptr) continue;
      EXPECT_THAT(refused->reason, HasSubstr("the key shown is not its own"));
    }
    EXPECT_EQ(h.snapshot()->workers->size(), 1u);
  }
}

TEST(Binding, ARefusedRegistrationLeavesTheLivingOneAlone) {
  Harness h;
  ASSERT_TRUE(h.Give(Hello("inst", "k1", 7)).ok());
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  const Worker before = *h.WorkerAt(WorkerId("w-1"));
  RegisterInput impostor = Hello("inst", "k2", 8);
  impostor.host = "elsewhere";
  EXPECT_TRUE(absl::IsPermissionDenied(h.Give(impostor).status()));
  EXPECT_EQ(h.WorkerAt(before.id)->host, "host");
  EXPECT_EQ(h.StateOf(task), "ASSIGNED");
  // What follows goes where it went before.
  h.sent.clear();
  EXPECT_TRUE(h.Control(ControlVerb::kDrain, "w-1").ok());
  for (const auto& [link, output] : h.sent) EXPECT_EQ(link, 7);
  EXPECT_FALSE(h.sent.empty());
}

TEST(Binding, TheKeyIsRememberedThroughARestart) {
  Harness h;
  ASSERT_TRUE(h.Give(Hello("inst", "k1", 7)).ok());
  h.Restart();
  EXPECT_FALSE(h.Give(Hello("inst", "k2", 8)).ok());
  EXPECT_TRUE(h.Give(Hello("inst", "k1", 9)).ok());
}

}  // namespace
}  // namespace scm::controller
