// Checkpoints whose files turn out damaged: they are not used any more, older ones are, and nobody
// pays for it with a retry.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::HasSubstr;

// The step that the latest grant resumes from; -1 = none.
int64_t ResumedStep(const Harness& h) {
  for (auto sent = h.sent.rbegin(); sent != h.sent.rend(); ++sent) {
    const auto* grant = std::get_if<GrantOutput>(&sent->second);
    if (grant == nullptr) continue;
    return IntegerAt(MemberAt(*ParseJson(grant->spec_json, "spec"), "resume_from"), "step", -1);
  }
  return -2;
}

// Ids of the checkpoints among the latest grant's inputs.
std::vector<std::string> InputsGranted(const Harness& h) {
  std::vector<std::string> dirs;
  for (auto sent = h.sent.rbegin(); sent != h.sent.rend(); ++sent) {
    const auto* grant = std::get_if<GrantOutput>(&sent->second);
    if (grant == nullptr) continue;
    const Json spec = *ParseJson(grant->spec_json, "spec");
    for (const Json& input : MemberAt(spec, "inputs")) dirs.push_back(StringAt(input, "dir"));
    break;
  }
  return dirs;
}

constexpr char kNoRetries[] = "retries: {max: 0}\n";

TEST(Damage, TheNextAttemptResumesFromTheNewestIntactOne) {
  Harness h;
  h.AddWorker(1);
  h.Submit(TestFile("replicate", kNoRetries));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  const std::string run = h.TaskAt(task)->run.str();
  h.Started(task);
  for (const int64_t step : {10, 20, 30}) {
    h.Validation(task, step, 3.0 - 0.1 * static_cast<double>(step));
    ASSERT_TRUE(h.Upload(task, step).ok());
  }
  EXPECT_EQ(h.RunOf(task)->best_step, 30);
  for (const int64_t next : {30, 20, 10, -1}) {
    // The worker goes down: the task waits for the next attempt, which costs nothing.
    const Task before = *h.TaskAt(task);
    h.Give(ProcessInput{before.attempt->ranks[0].worker, Harness::Ref(before),
                        ProcessInput::Kind::kKilled, 143, "local shutdown of the worker", true,
                        /*free=*/true})
        .IgnoreError();
    EXPECT_EQ(h.StateOf(task), "ASSIGNED");
    EXPECT_EQ(ResumedStep(h), next);
    if (next < 0) break;
    const Task reading = *h.TaskAt(task);
    const std::string id = absl::StrCat(run, "/", next);
    EXPECT_TRUE(h.Give(DamageInput{id, "a file is damaged", Harness::Ref(reading)}).ok());
    h.Say(task, ProcessInput::Kind::kStartFailed, 0);
    EXPECT_EQ(h.StateOf(task), "ASSIGNED") << h.TaskAt(task)->reason;
    EXPECT_EQ(ResumedStep(h), next - 10 > 0 ? next - 10 : -1);
    EXPECT_EQ(h.TaskAt(task)->retries_spent, 0);
    const CheckpointRecord& record = *h.snapshot()->checkpoints->at(id);
    EXPECT_TRUE(record.deleted);
    EXPECT_EQ(record.damage, "a file is damaged");
  }
  EXPECT_EQ(h.RunOf(task)->best_step, std::nullopt);
  // Kept over a restart, and shown.
  h.Restart();
  const Json shown = answers::ToJson(*views::CheckpointsView(*h.snapshot(), run));
  EXPECT_EQ(shown["checkpoints"][0]["state"], "DELETED");
  EXPECT_EQ(shown["checkpoints"][0]["damage"], "a file is damaged");
  EXPECT_THAT(views::WhyView(*h.snapshot(), run + "/20")->reasons(0).text(),
              HasSubstr("damaged: a file is damaged"));
}

TEST(Damage, AFailedStartOfAnotherKindCounts) {
  Harness h;
  h.AddWorker(1);
  h.Submit(TestFile("replicate", kNoRetries));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Say(task, ProcessInput::Kind::kStartFailed, 0);
  EXPECT_EQ(h.StateOf(task), "FAILED");
}

TEST(Damage, AGoodUploadOfTheStepBringsItBack) {
  Harness h;
  h.AddWorker(1);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  const std::string id = absl::StrCat(h.TaskAt(task)->run.str(), "/10");
  h.Started(task);
  ASSERT_TRUE(h.Upload(task, 10).ok());
  EXPECT_TRUE(h.Give(DamageInput{id, "gone", {}}).ok());
  EXPECT_EQ(h.RunOf(task)->best_step, std::nullopt);
  ASSERT_TRUE(h.Upload(task, 10).ok());
  EXPECT_FALSE(h.snapshot()->checkpoints->at(id)->deleted);
  EXPECT_EQ(h.snapshot()->checkpoints->at(id)->damage, "");
  EXPECT_EQ(h.RunOf(task)->best_step, 10);
  EXPECT_TRUE(absl::IsNotFound(h.Give(DamageInput{"r-99/1", "gone", {}}).status()));
}

TEST(Damage, WhatIsEvaluatedIsTheBestOfTheIntactOnes) {
  Harness h;
  h.AddWorker(1);
  h.Submit(TestFile("replicate, evaluate"));
  std::vector<TaskId> seeds = h.Tasks(StageKind::kReplicate);
  for (const TaskId& task : seeds) {
    h.Started(task);
    h.Validation(task, 10, 1.5);
    ASSERT_TRUE(h.Upload(task, 10).ok());
    h.Validation(task, 40, 1);
    ASSERT_TRUE(h.Upload(task, 40).ok());
    h.Finish(task);
  }
  const std::string run = h.TaskAt(seeds[0])->run.str();
  for (const TaskId& task : h.Tasks(StageKind::kEvaluate)) {
    if (!h.TaskAt(task)->part || h.TaskAt(task)->part->run.str() != run) {
      h.Started(task);
      h.Finish(task);
      continue;
    }
    EXPECT_THAT(InputsGranted(h), testing::ElementsAre(absl::StrCat("scm:", run, "/40")));
    const LeaseRef reader = Harness::Ref(*h.TaskAt(task));
    EXPECT_TRUE(h.Give(DamageInput{absl::StrCat(run, "/40"), "a bit", reader}).ok());
    h.Say(task, ProcessInput::Kind::kStartFailed, 0);
    EXPECT_THAT(InputsGranted(h), testing::ElementsAre(absl::StrCat("scm:", run, "/10")));
    EXPECT_EQ(h.TaskAt(task)->retries_spent, 0);
    EXPECT_TRUE(
        h.Give(DamageInput{absl::StrCat(run, "/10"), "a bit", Harness::Ref(*h.TaskAt(task))}).ok());
    h.Say(task, ProcessInput::Kind::kStartFailed, 0);
    EXPECT_EQ(h.StateOf(task), "FAILED");
    EXPECT_THAT(h.TaskAt(task)->reason, HasSubstr(absl::StrCat("no checkpoint of ", run)));
    h.Round();  // its place is given to the next
  }
}

// The files are found missing at a start: the same as found damaged by a reader.
TEST(Damage, WhatIsMissingAtAStartIsNotTheBestAnyMore) {
  Harness h;
  h.AddWorker(1);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  h.Validation(task, 10, 1.5);
  ASSERT_TRUE(h.Upload(task, 10).ok());
  h.Validation(task, 20, 1);
  ASSERT_TRUE(h.Upload(task, 20).ok());
  EXPECT_TRUE(h.blobs.Remove(absl::StrCat(h.TaskAt(task)->run.str(), "/20")).ok());
  h.Restart();
  EXPECT_EQ(h.RunOf(task)->best_step, 10);
}

}  // namespace
}  // namespace scm::controller
