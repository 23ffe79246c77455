// Stages, their gates, and how experiments end.
#include <gmock/gmock.h>

#include "tests/controller/harness.h"

namespace scm {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Stages, AFailedCheckFailsTheExperiment) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("check, sweep, replicate"));
  h.Fail(h.Tasks(StageKind::kCheck).at(0), "bad_input");
  EXPECT_THAT(h.Gate(e, StageKind::kCheck), StartsWith("FAILED failed: bad_input"));
  EXPECT_THAT(h.Gate(e, StageKind::kSweep), StartsWith("SKIPPED not_judged"));
  EXPECT_THAT(h.Gate(e, StageKind::kReplicate), StartsWith("SKIPPED not_judged"));
  EXPECT_EQ(h.StateOf(e), "FAILED");
  EXPECT_EQ(h.Tasks(StageKind::kSweep).size(), 0u);
}

TEST(Stages, ADivergingCheckDoesNotLeadToASweep) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("check, sweep, replicate"));
  h.Fail(h.Tasks(StageKind::kCheck).at(0), "diverged");
  EXPECT_THAT(h.Gate(e, StageKind::kCheck), StartsWith("ABORTED failed"));
  EXPECT_EQ(h.StateOf(e), "ABORTED");
  EXPECT_EQ(h.Tasks(StageKind::kSweep).size(), 0u);
}

TEST(Stages, ASweepWithoutASurvivingTrialFails) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("sweep, replicate"));
  for (const TaskId& task : h.Tasks(StageKind::kSweep)) h.Fail(task, "out_of_memory");
  EXPECT_THAT(h.Gate(e, StageKind::kSweep), StartsWith("FAILED failed: none of 2"));
  EXPECT_EQ(h.StateOf(e), "FAILED");
  EXPECT_EQ(h.Tasks(StageKind::kReplicate).size(), 0u);
}

TEST(Stages, TheWinnerIsTrainedWithFreshSeeds) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("sweep, replicate"));
  const std::vector<TaskId> trials = h.Tasks(StageKind::kSweep);
  h.Train(trials.at(0), 1.5);
  EXPECT_EQ(h.Tasks(StageKind::kReplicate).size(), 0u);
  h.Train(trials.at(1), 0.5);
  EXPECT_THAT(h.Gate(e, StageKind::kSweep), HasSubstr("2 of 2 trials survived"));
  ASSERT_EQ(h.Tasks(StageKind::kReplicate).size(), 3u);
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
    EXPECT_EQ(NumberAt(h.RunOf(task)->parameters, "training.learning_rate", 0), 1.0e-2);
  }
}

TEST(Stages, AFailedReplicateIsCountedAndTheOthersGoOn) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  const std::vector<TaskId> runs = h.Tasks(StageKind::kReplicate);
  h.Fail(runs.at(1), "bad_input");
  EXPECT_EQ(h.StateOf(e), "RUNNING");
  h.Train(runs.at(0), 1);
  h.Train(runs.at(2), 1);
  EXPECT_EQ(h.Gate(e, StageKind::kReplicate), "SUCCEEDED passed: 2 of 3 converged: seed 12 FAILED");
  EXPECT_EQ(h.StateOf(e), "SUCCEEDED");
}

TEST(Stages, TheFallbackModelRunsWhenTheGateFails) {
  Harness h;
  h.AddWorker(4);
  std::string file = TestFile("replicate, evaluate");
  file.replace(file.find("[python3, train.py]"), 19, "[scm-trainer]");
  const ExperimentId e = h.Submit(file);
  const std::vector<TaskId> first = h.Tasks(StageKind::kReplicate);
  h.Train(first.at(0), 1);
  h.Fail(first.at(1), "bad_input");
  h.Fail(first.at(2), "bad_input");
  const std::vector<TaskId> all = h.Tasks(StageKind::kReplicate);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_THAT(h.Gate(e, StageKind::kReplicate), HasSubstr("goes on with the fallback model"));
  for (size_t i = 3; i < 6; ++i) h.Train(all.at(i), 0.5);
  EXPECT_EQ(h.Gate(e, StageKind::kReplicate), "SUCCEEDED passed: 3 of 3 converged");
  const auto* grant = std::get_if<GrantOutput>(&h.sent.back().second);
  for (const auto& [link, output] : h.sent) {
    if (const auto* g = std::get_if<GrantOutput>(&output)) grant = g;
  }
  ASSERT_NE(grant, nullptr);
  const Json spec = *ParseJson(grant->spec_json, "spec");
  EXPECT_EQ(StringAt(spec["task"], "kind"), "evaluate");
  EXPECT_EQ(spec["inputs"].size(), 3u);  // the fallback's, not the first model's
}

TEST(Stages, OneAbortedSeedIsNamedWithItsRule) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  const std::vector<TaskId> runs = h.Tasks(StageKind::kReplicate);
  h.Started(runs.at(0));
  h.Progress(runs.at(0), 3, std::nan(""));
  EXPECT_EQ(h.StateOf(runs.at(0)), "STOPPING");
  h.Stopped(runs.at(0));
  h.Train(runs.at(1), 1);
  h.Train(runs.at(2), 1);
  EXPECT_THAT(h.Gate(e, StageKind::kReplicate),
              HasSubstr("2 of 3 converged: seed 11 ABORTED by non_finite"));
}

// A report whose input cannot be written is tried again, and in the end it fails: it is not
// cancelled, and the experiment does not succeed without its report.
TEST(Stages, AnAttemptThatCannotBePreparedIsRetriedThenFails) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate, report", "retries: {max: 2}\n"));
  h.blobs.error = absl::InternalError("no room for report data");
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
    h.Started(task);
    h.Finish(task);
  }
  const TaskId report = h.Tasks(StageKind::kReport).at(0);
  EXPECT_EQ(h.StateOf(report), "PENDING");
  EXPECT_THAT(h.TaskAt(report)->reason, HasSubstr("no room for report data"));
  h.Advance(absl::Seconds(20));
  EXPECT_EQ(h.StateOf(report), "FAILED") << h.TaskAt(report)->reason << h.Waiting(report);
  EXPECT_EQ(h.StateOf(e), "FAILED");
  EXPECT_EQ(h.WorkerAt(w)->strikes, 0);  // it did nothing wrong
}

TEST(Stages, AReportThatCanBePreparedAgainGoesOn) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate, report"));
  h.blobs.error = absl::InternalError("for a while");
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
    h.Started(task);
    h.Finish(task);
  }
  h.blobs.error = absl::OkStatus();
  h.Advance(absl::Seconds(10));
  const TaskId report = h.Tasks(StageKind::kReport).at(0);
  EXPECT_EQ(h.StateOf(report), "ASSIGNED");
  h.Started(report);
  h.Finish(report, {{"decision", "no_go"}, {"headline", "It does not work."}});
  EXPECT_EQ(h.Gate(e, StageKind::kReport), "SUCCEEDED failed: It does not work.");
  EXPECT_EQ(h.At(e)->decision, "no_go");
  EXPECT_EQ(h.StateOf(e), "SUCCEEDED");
}

TEST(Stages, ASilentEvaluationIsStalledAndEndsTheStage) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e =
      h.Submit(TestFile("replicate, evaluate", "abort: {stalled: {minutes: 2}}\n"));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Train(task, 1);
  const TaskId evaluate = h.Tasks(StageKind::kEvaluate).at(0);
  h.Started(evaluate);
  h.Advance(absl::Seconds(90));
  h.Report(evaluate, {{"type", "progress"}, {"step", 5}, {"metrics", Json::object()}});
  h.Advance(absl::Seconds(90));
  EXPECT_EQ(h.StateOf(evaluate), "RUNNING");
  h.Advance(absl::Seconds(40));
  EXPECT_EQ(h.StateOf(evaluate), "STOPPING");
  h.Exit(evaluate, 137);
  EXPECT_THAT(h.Gate(e, StageKind::kEvaluate), StartsWith("ABORTED failed: stalled"));
  EXPECT_EQ(h.StateOf(e), "ABORTED");
}

// The searcher hears nothing bad about a trial that infrastructure or a stall ended.
TEST(Sweep, CensoredTrialsAreNoWorst) {
  for (const bool stalled : {false, true}) {
    Harness h;
    h.AddWorker(4);
    const ExperimentId e = h.Submit(
        TestFile("sweep, replicate", "retries: {max: 0}\nabort: {stalled: {minutes: 1}}\n"));
    const std::vector<TaskId> trials = h.Tasks(StageKind::kSweep);
    h.Started(trials.at(0));
    if (stalled) h.Advance(absl::Seconds(70));
    h.Exit(trials.at(0), 137);
    h.Train(trials.at(1), 2.5);
    const Json& search = h.At(e)->search.value;
    EXPECT_EQ(search["trials"][0]["end"], "censored");
    EXPECT_THAT(h.Gate(e, StageKind::kSweep), HasSubstr("1 of 1 trials survived"));
  }
}

}  // namespace
}  // namespace scm
