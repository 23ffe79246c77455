#include "coordinator/core/stage_needs.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ExperimentSpec Spec() {
  ExperimentSpec spec;
  spec.trainer.command = {"python3", "train.py"};
  spec.training.max_steps = 400;
  spec.check.steps = 30;
  spec.replicate.seeds = {11, 12, 13};
  spec.resources.gpus = 2;
  spec.resources.ranks = 3;
  spec.sweep.emplace();
  spec.sweep->max_trials = 9;
  spec.sweep->rungs = {50, 100, 200};
  spec.sweep->space = {{"training.learning_rate", LogUniform{1e-4, 1e-2}}};
  return spec;
}

TEST(StageNeeds, EveryStageHasItsOwnRow) {
  for (const StageKind stage : kAllStages) EXPECT_EQ(NeedsOf(stage).stage, stage);
}

TEST(StageNeeds, ProgramTaskRanksAndGpus) {
  const struct {
    StageKind stage;
    std::vector<std::string> command;
    TaskKind task;
    int64_t ranks, gpus;
  } rows[] = {
      {StageKind::kCheck, {"python3", "train.py"}, TaskKind::kCheck, 1, 2},
      {StageKind::kSweep, {"python3", "train.py"}, TaskKind::kTrain, 3, 2},
      {StageKind::kReplicate, {"python3", "train.py"}, TaskKind::kTrain, 3, 2},
      {StageKind::kEvaluate, {"scm-evaluator"}, TaskKind::kEvaluate, 1, 2},
      {StageKind::kExport, {"scm-trainer"}, TaskKind::kExport, 1, 2},
      {StageKind::kReport, {"scm-report"}, TaskKind::kReport, 1, 0},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(StageName(row.stage));
    EXPECT_EQ(NeedsOf(row.stage).command(Spec()), row.command);
    EXPECT_EQ(NeedsOf(row.stage).task, row.task);
    EXPECT_EQ(RanksOf(Spec(), row.stage), row.ranks);
    EXPECT_EQ(GpusOf(Spec(), row.stage), row.gpus);
  }
}

TEST(StageNeeds, Work) {
  const struct {
    StageKind stage;
    WorkUnit unit;
    int64_t tasks;
    std::vector<int64_t> ends;
    int64_t eta;
  } rows[] = {
      {StageKind::kCheck, WorkUnit::kSteps, 1, {30}, 0},
      {StageKind::kSweep, WorkUnit::kSteps, 9, {50, 100, 200}, 3},
      {StageKind::kReplicate, WorkUnit::kSteps, 3, {400}, 0},
      {StageKind::kEvaluate, WorkUnit::kModels, 4, {}, 0},
      {StageKind::kExport, WorkUnit::kUnmeasured, 1, {}, 0},
      {StageKind::kReport, WorkUnit::kUnmeasured, 1, {}, 0},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(StageName(row.stage));
    const StageWork work = NeedsOf(row.stage).work(Spec());
    EXPECT_EQ(work.unit, row.unit);
    EXPECT_EQ(work.tasks, row.tasks);
    EXPECT_EQ(work.ends, row.ends);
    EXPECT_EQ(work.eta, row.eta);
  }
}

TEST(StageNeeds, SeedsInOneProcessAreOneTaskThatTakesAsLongAsAll) {
  ExperimentSpec spec = Spec();
  spec.replicate.packed = true;
  const StageWork work = NeedsOf(StageKind::kReplicate).work(spec);
  EXPECT_EQ(work.tasks, 1);
  EXPECT_THAT(work.ends, ElementsAre(3 * 400));
  EXPECT_EQ(StepsOf(work).Beyond(0).mean, 1200);
}

TEST(StageNeeds, TrialsInOneProcessAreOneTaskAndCompeteAsTrials) {
  ExperimentSpec spec = Spec();
  const StageWork alone = NeedsOf(StageKind::kSweep).work(spec);
  spec.sweep->packed = true;
  spec.sweep->pack_size = 5;
  const StageWork work = NeedsOf(StageKind::kSweep).work(spec);
  EXPECT_EQ(work.tasks, 2);
  EXPECT_THAT(work.packs, ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(4, 5, 6, 7, 8)));
  EXPECT_EQ(alone.Runs(), 9);
  EXPECT_EQ(work.Runs(), 9);
  EXPECT_EQ(work.ends, alone.ends);
  EXPECT_EQ(StepsOf(work).Beyond(0).mean, StepsOf(alone).Beyond(0).mean);
}

TEST(StageNeeds, OnlyAshaEndsTrialsAtRungs) {
  ExperimentSpec spec = Spec();
  for (const char* search : {"grid", "random"}) {
    spec.sweep->search = search;  // rungs that it does not use are allowed, with a warning
    EXPECT_THAT(NeedsOf(StageKind::kSweep).work(spec).ends, ElementsAre(400)) << search;
  }
  spec.sweep->space = {{"training.batch_size", Choice{{2, 4}}}};
  EXPECT_EQ(NeedsOf(StageKind::kSweep).work(spec).tasks, 2);  // no more points than the space has
  spec.sweep.reset();
  EXPECT_EQ(NeedsOf(StageKind::kSweep).work(spec).tasks, 0);
}

TEST(StageNeeds, StepsAheadAreTheRestOfATask) {
  const auto ahead = [](StageKind stage, int64_t step) {
    return StepsOf(NeedsOf(stage).work(Spec())).Beyond(step);
  };
  EXPECT_EQ(ahead(StageKind::kReplicate, 0).mean, 400);
  EXPECT_EQ(ahead(StageKind::kReplicate, 150).mean, 250);
  EXPECT_EQ(ahead(StageKind::kReplicate, 0).variance, 0);
  EXPECT_EQ(ahead(StageKind::kReport, 0).mean, 0);
  const StepsAhead trial = ahead(StageKind::kSweep, 0);
  EXPECT_GT(trial.mean, 50);
  EXPECT_LT(trial.mean, 200);
  EXPECT_GT(trial.variance, 0);
  EXPECT_EQ(ahead(StageKind::kSweep, 100).mean, 100);  // past the last rung but one
}

}  // namespace
}  // namespace scm::core
