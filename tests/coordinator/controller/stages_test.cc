// Stages, their gates, and how experiments end.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// SCM_SPEC of every grant of this kind so far, in order.
std::vector<Json> SpecsOf(const Harness& h, const std::string& kind) {
  std::vector<Json> specs;
  for (const auto& [link, output] : h.sent) {
    const auto* grant = std::get_if<GrantOutput>(&output);
    if (grant == nullptr) continue;
    Json spec = *ParseJson(grant->spec_json, "spec");
    if (StringAt(spec["task"], "kind") == kind) specs.push_back(std::move(spec));
  }
  return specs;
}

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
  EXPECT_EQ(h.Gate(e, StageKind::kReplicate), "SUCCEEDED passed: 2 of 3 finished: seed 12 FAILED");
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
  EXPECT_EQ(h.Gate(e, StageKind::kReplicate), "SUCCEEDED passed: 3 of 3 finished");
  std::set<std::string> scored;  // the fallback's runs, not the first model's
  for (const Json& spec : SpecsOf(h, "evaluate")) {
    EXPECT_EQ(spec["parameters"]["model"]["base"], "/larger.gguf");
    for (const Json& input : spec["inputs"]) scored.insert(StringAt(input, "run"));
  }
  std::set<std::string> trained;
  for (size_t i = 3; i < 6; ++i) trained.insert(h.RunOf(all.at(i))->id.str());
  EXPECT_EQ(scored, trained);
}

// Each model is a task of its own: the base with the predictions, every seed, every other model.
TEST(Stages, EveryModelIsEvaluatedByATaskOfItsOwn) {
  Harness h;
  h.AddWorker(8);
  std::string file = TestFile("replicate, evaluate, report");
  file.replace(file.find("evaluation: {tasks: [a]}"), 24,
               "evaluation: {tasks: [a], baselines: [{name: plain, model: /m.gguf}, {name: gpt, "
               "predictions: /p.jsonl}, {name: other, model: /o.gguf}]}");
  const ExperimentId e = h.Submit(file);
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Train(task, 1);
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kEvaluate);
  std::vector<std::string> names;
  for (const TaskId& task : tasks) names.push_back(h.TaskAt(task)->part->name);
  EXPECT_THAT(names, ElementsAre("plain", "seed 11", "seed 12", "seed 13", "other"));
  std::vector<std::string> evaluate;
  std::vector<size_t> inputs;
  for (const Json& spec : SpecsOf(h, "evaluate")) {
    evaluate.push_back(spec["evaluate"].dump());
    inputs.push_back(spec["inputs"].size());
  }
  EXPECT_THAT(evaluate, ElementsAre(R"({"base":true,"baselines":["gpt"],"latency":true})",
                                    R"({"base":false,"baselines":[],"latency":true})",
                                    R"({"base":false,"baselines":[],"latency":false})",
                                    R"({"base":false,"baselines":[],"latency":false})",
                                    R"({"base":false,"baselines":["other"],"latency":false})"));
  EXPECT_THAT(inputs, ElementsAre(0u, 1u, 1u, 1u, 0u));
  h.Restart();  // what each scores is remembered
  EXPECT_EQ(h.TaskAt(tasks.at(2))->part->name, "seed 12");
}

// One evaluation that fails leaves the others their time, and the report gets what they found.
TEST(Stages, AnEvaluationThatFailsIsNamedAndTheOthersGoOn) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate, evaluate"));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Train(task, 1);
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kEvaluate);
  for (const TaskId& task : tasks) h.Started(task);
  h.Fail(tasks.at(2), "bad_input");
  EXPECT_EQ(h.StateOf(e), "RUNNING");
  for (const size_t i : {0, 1, 3}) h.Finish(tasks.at(i));
  EXPECT_THAT(h.Gate(e, StageKind::kEvaluate),
              StartsWith("FAILED failed: 3 of 4 tasks succeeded: seed 12 FAILED, "));
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
              HasSubstr("2 of 3 finished: seed 11 ABORTED by non_finite"));
}

// What the trainer knows of the value is in the certificate, the reason and the event.
TEST(Stages, AnAbortByNonFiniteSaysWhereTheValueArose) {
  Harness h;
  h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  h.Report(task,
           {{"type", "progress"},
            {"step", 3},
            {"note", "the first value that is not finite arose in layer 7 (learning rate 0.3)"},
            {"metrics", {{"train_loss", "NaN"}}}});
  EXPECT_EQ(h.StateOf(task), "STOPPING");
  ASSERT_EQ(h.snapshot()->certificates->size(), 1u);
  const Json& body = h.snapshot()->certificates->begin()->second->body;
  for (const char* key : {"reason", "seen"}) {
    EXPECT_THAT(
        body[key].get<std::string>(),
        HasSubstr("at step 3; the first value that is not finite arose in layer 7 (learning "
                  "rate 0.3)"));
  }
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
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kEvaluate);
  for (const TaskId& task : tasks) h.Started(task);
  for (size_t i = 1; i < tasks.size(); ++i) h.Finish(tasks.at(i));
  const TaskId evaluate = tasks.at(0);
  h.Advance(absl::Seconds(90));
  h.Report(evaluate, {{"type", "progress"}, {"step", 5}, {"metrics", Json::object()}});
  h.Advance(absl::Seconds(90));
  EXPECT_EQ(h.StateOf(evaluate), "RUNNING");
  h.Advance(absl::Seconds(40));
  EXPECT_EQ(h.StateOf(evaluate), "STOPPING");
  h.Exit(evaluate, 137);
  EXPECT_THAT(h.Gate(e, StageKind::kEvaluate),
              StartsWith("ABORTED failed: 3 of 4 tasks succeeded: base ABORTED, stalled"));
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

TEST(Stages, WhereNothingFinishedTheCountSaysWhatBecameOfAll) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  const std::vector<TaskId> seeds = h.Tasks(StageKind::kReplicate);
  h.Say(seeds[0], ProcessInput::Kind::kStartFailed, 0, /*retryable=*/false);
  h.Say(seeds[1], ProcessInput::Kind::kStartFailed, 0, /*retryable=*/false);
  h.Started(seeds[2]);
  h.Fail(seeds[2], "bad_input");
  EXPECT_THAT(h.Gate(e, StageKind::kReplicate),
              AllOf(StartsWith("FAILED failed: 0 of 3 finished: 2 failed to start"),
                    HasSubstr("; 1 failed: "), HasSubstr("as the test wants it")));
}

TEST(Tokens, TheTotalNeverFallsWhenAnAttemptResumes) {
  Harness h;
  h.AddWorker(1);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).front();
  const auto report = [&](int64_t step, double tokens) {
    h.Report(task, {{"type", "progress"}, {"step", step}, {"metrics", {{"tokens", tokens}}}});
    return h.RunOf(task)->tokens_total;
  };
  h.Started(task);
  EXPECT_EQ(report(1, 100), 100);
  EXPECT_EQ(report(2, 200), 200);
  EXPECT_EQ(report(3, 100), 200) << "counted again from a checkpoint";
  EXPECT_EQ(report(4, 250), 350);
  h.Restart();
  EXPECT_EQ(h.RunOf(task)->tokens_total, 350);
}

}  // namespace
}  // namespace scm::controller
