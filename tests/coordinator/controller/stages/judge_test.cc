// How each stage is judged, and what the searcher learns of a trial's end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "coordinator/controller/experiment_control.h"
#include "coordinator/controller/stages/registry.h"
#include "coordinator/controller/stages/replicate_stage.h"
#include "coordinator/controller/stages/sweep_stage.h"
#include "tests/coordinator/controller/stages/small_cluster.h"

namespace scm::controller {
namespace {

using testing::HasSubstr;

std::string Judged(const SmallCluster& small, StageKind stage) {
  const StageOutcome outcome = StageOf(stage).Judge(small.cluster, small.id);
  return absl::StrCat(StateName(outcome.state), " ", outcome.gate, ": ", outcome.reason);
}

TEST(StageJudge, ASingleTaskSpeaksForItsStage) {
  const struct {
    State state;
    const char* judged;
  } rows[] = {{State::kSucceeded, "SUCCEEDED passed: why"},
              {State::kFailed, "FAILED failed: why"},
              {State::kAborted, "ABORTED failed: why"},
              {State::kCancelled, "CANCELLED failed: why"}};
  for (const StageKind stage : {StageKind::kCheck, StageKind::kEvaluate, StageKind::kExport}) {
    for (const auto& row : rows) {
      SmallCluster small;
      small.AddTask(stage, {row.state, "why"});
      small.AddTask(StageKind::kReport, {State::kFailed, "of another stage"});
      EXPECT_EQ(Judged(small, stage), row.judged) << StageName(stage);
    }
  }
}

TEST(StageJudge, OfSeveralTasksTheWorstEndCounts) {
  const struct {
    std::vector<State> states;
    const char* judged;
  } rows[] = {
      {{State::kSucceeded, State::kSucceeded}, "SUCCEEDED passed: 2 of 2 tasks succeeded"},
      {{State::kSucceeded, State::kAborted},
       "ABORTED failed: 1 of 2 tasks succeeded: k-2 ABORTED, why"},
      {{State::kAborted, State::kFailed, State::kCancelled},
       "FAILED failed: 0 of 3 tasks succeeded: k-1 ABORTED, why; k-2 FAILED, why; k-3 CANCELLED, "
       "why"}};
  for (const auto& row : rows) {
    SmallCluster small;
    for (const State state : row.states) small.AddTask(StageKind::kEvaluate, {state, "why"});
    EXPECT_EQ(Judged(small, StageKind::kEvaluate), row.judged);
  }
}

TEST(StageJudge, ReplicatePassesWithMoreThanHalf) {
  const struct {
    std::vector<std::pair<State, int64_t>> seeds;  // state and model index
    const char* judged;
    int64_t model_index;
  } rows[] = {
      {{{State::kSucceeded, 0}, {State::kSucceeded, 0}, {State::kFailed, 0}},
       "SUCCEEDED passed: 2 of 3 finished: seed 13 FAILED",
       0},
      {{{State::kSucceeded, 0}, {State::kFailed, 0}},
       "SUCCEEDED failed: 1 of 2 finished: seed 12 FAILED",
       0},
      {{{State::kFailed, 0}, {State::kFailed, 0}},
       "FAILED failed: 0 of 2 finished: 2 failed to start",
       0},
      {{{State::kAborted, 0}, {State::kFailed, 0}},
       "ABORTED failed: 0 of 2 finished: 1 aborted; 1 failed to start",
       0},
      // Each candidate's seeds stand for themselves; the last one's count.
      {{{State::kSucceeded, 0}, {State::kFailed, 0}, {State::kSucceeded, 1}},
       "SUCCEEDED passed: 1 of 1 finished",
       1},
      {{{State::kSucceeded, 0}, {State::kSucceeded, 1}, {State::kFailed, 2}},
       "FAILED failed: 0 of 1 finished: 1 failed to start",
       2},
  };
  for (const auto& row : rows) {
    SmallCluster small;
    int64_t seed = 11;
    for (const auto& [state, model] : row.seeds) small.AddSeed(seed++, state, model);
    EXPECT_EQ(Judged(small, StageKind::kReplicate), row.judged);
    EXPECT_EQ(JudgeReplicates(small.cluster, small.id).model_index, row.model_index);
  }
}

TEST(StageJudge, TheSweepsWinnerIsTheBestThatCompleted) {
  using search::TrialEnd;
  const struct {
    std::vector<std::pair<TrialEnd, int64_t>> ranking;  // end and highest rung, best first
    size_t winner;                                      // its place; as many as there are: none
    const char* reason;
  } rows[] = {
      {{{TrialEnd::kCompleted, 40}, {TrialEnd::kCompleted, 20}},
       0,
       "t-1 wins with validation_loss 0.5 at step 40 (training.learning_rate = 0.001); 2 of 2 "
       "trials survived"},
      {{{TrialEnd::kDiverged, 40}, {TrialEnd::kCompleted, 20}, {TrialEnd::kFailed, 0}},
       1,
       "t-2 wins with validation_loss 0.5 at step 20 (training.learning_rate = 0.001); 1 of 3 "
       "trials survived"},
      {{{TrialEnd::kDiverged, 40}, {TrialEnd::kCompleted, 0}},
       2,
       "none of 2 trials survived: 2 aborted by no_convergence"},
      {{}, 0, "none of 0 trials survived"},
  };
  for (const auto& row : rows) {
    SmallCluster small;
    std::vector<search::RankedTrial> ranking;
    for (const auto& [end, step] : row.ranking) {
      const TrialId trial = small.AddTrial({State::kAborted, "", "no_convergence"});
      ranking.push_back({trial, step, 0.5, end});
    }
    const SweepOutcome outcome = JudgeSweep(small.cluster, *small.spec.sweep, ranking);
    EXPECT_EQ(outcome.reason, row.reason);
    ASSERT_EQ(outcome.winner.has_value(), row.winner < ranking.size());
    if (!outcome.winner) continue;
    EXPECT_EQ(*outcome.winner, ranking[row.winner].trial);
  }
}

TEST(StageJudge, TheReportsDecisionIsItsGate) {
  const struct {
    State state;
    Json summary;
    const char* judged;
  } rows[] = {
      {State::kSucceeded,
       {{"decision", "go"}, {"headline", "It works."}},
       "SUCCEEDED passed: It works."},
      {State::kSucceeded,
       {{"decision", "no_go"}, {"headline", "It does not."}},
       "SUCCEEDED failed: It does not."},
      {State::kSucceeded,
       {{"headline", "Nothing was evaluated."}},
       "SUCCEEDED not_judged: Nothing was evaluated."},
      {State::kSucceeded, Json(), "SUCCEEDED not_judged: why"},
      {State::kFailed, {{"decision", "go"}, {"headline", "It works."}}, "FAILED failed: why"},
      {State::kAborted, Json(), "ABORTED failed: why"},
  };
  for (const auto& row : rows) {
    SmallCluster small;
    small.AddTask(StageKind::kReport, {row.state, "why", "", row.summary});
    EXPECT_EQ(Judged(small, StageKind::kReport), row.judged) << row.summary.dump();
  }
}

// The searcher reads what the rule said, not which rule it was.
TEST(EndOfTrial, IsToldByStateAndVerdict) {
  using search::TrialEnd;
  const struct {
    State state;
    bool censored;
    const char* kind;  // of the trainer's `failed`
    TrialEnd end;
  } rows[] = {{State::kSucceeded, false, "", TrialEnd::kCompleted},
              {State::kAborted, false, "", TrialEnd::kDiverged},
              {State::kAborted, true, "", TrialEnd::kCensored},
              {State::kFailed, false, "bad_input", TrialEnd::kFailed},
              {State::kFailed, false, "out_of_memory", TrialEnd::kFailed},
              {State::kFailed, false, "internal", TrialEnd::kCensored},
              {State::kFailed, false, "", TrialEnd::kCensored},
              {State::kCancelled, false, "", TrialEnd::kCensored}};
  for (const auto& row : rows) {
    for (const char* rule : {"", "stalled", "no_convergence", "a rule of tomorrow"}) {
      Task task;
      task.state = row.state;
      task.rule = rule;
      task.censored = row.censored;
      task.ending = {{"kind", row.kind}};
      EXPECT_EQ(EndOfTrial(core::StandingOf(task, task.run)), row.end)
          << StateName(row.state) << " " << rule << row.kind;
    }
  }
}

TEST(ExperimentJudge, TheWorstStageOrTheReportSpeaks) {
  Experiment experiment;
  experiment.stages.resize(2);
  experiment.stages[0] = {StageKind::kReplicate, State::kSucceeded, "passed", "3 of 3 finished"};
  experiment.stages[1] = {StageKind::kReport, State::kSucceeded, "passed", "done"};
  const auto judged = [&] {
    const auto [state, reason] = JudgeExperiment(experiment);
    return absl::StrCat(StateName(state), ": ", reason);
  };
  EXPECT_EQ(judged(), "SUCCEEDED: 3 of 3 finished");
  experiment.headline = "It works.";
  EXPECT_EQ(judged(), "SUCCEEDED: It works.");
  experiment.stages[1].state = State::kAborted;
  EXPECT_EQ(judged(), "ABORTED: report: done");
  experiment.stages[0].state = State::kFailed;
  EXPECT_EQ(judged(), "FAILED: replicate: 3 of 3 finished");
  experiment.stages = {{StageKind::kCheck, State::kSucceeded, "passed", "done"}};
  experiment.headline.clear();
  EXPECT_EQ(judged(), "SUCCEEDED: every stage succeeded");
}

}  // namespace
}  // namespace scm::controller
