#include "coordinator/core/stage_needs.h"

#include <algorithm>
#include <iterator>

#include "coordinator/core/evaluation_parts.h"
#include "coordinator/core/fit.h"
#include "coordinator/core/search/sampling.h"

namespace scm::core {
namespace {

using Command = std::vector<std::string>;

Command TrainerOfTheFile(const ExperimentSpec& spec) { return spec.trainer.command; }
Command Trainer(const ExperimentSpec& /*spec*/) { return {"scm-trainer"}; }
Command Evaluator(const ExperimentSpec& /*spec*/) { return {"scm-evaluator"}; }
Command Reporter(const ExperimentSpec& /*spec*/) { return {"scm-report"}; }

StageWork CheckWork(const ExperimentSpec& spec) {
  return {WorkUnit::kSteps, 1, {std::min(spec.check.steps, spec.training.max_steps)}};
}

// A small space has fewer points than max_trials.
StageWork SweepWork(const ExperimentSpec& spec) {
  if (!spec.sweep) return {WorkUnit::kSteps, 0};
  const SweepSpec& sweep = *spec.sweep;
  const bool has_rungs = sweep.search == "asha" && !sweep.rungs.empty();
  const std::vector<Json> points = search::SamplePoints(sweep);
  StageWork work{WorkUnit::kSteps, static_cast<int64_t>(points.size()),
                 has_rungs ? sweep.rungs : std::vector<int64_t>{spec.training.max_steps},
                 sweep.eta};
  if (!sweep.packed.value_or(false)) return work;
  work.packs = PacksOfTrials(spec, points);
  work.tasks = static_cast<int64_t>(work.packs.size());
  return work;
}

// A pack is one task, whose runs take turns.
StageWork ReplicateWork(const ExperimentSpec& spec) {
  const int64_t seeds = static_cast<int64_t>(spec.replicate.seeds.size());
  if (spec.replicate.packed.value_or(false))
    return {WorkUnit::kSteps, 1, {seeds * spec.training.max_steps}};
  return {WorkUnit::kSteps, seeds, {spec.training.max_steps}};
}

StageWork EvaluateWork(const ExperimentSpec& spec) {
  const std::vector<TrainedSeed> seeds(spec.replicate.seeds.size());
  const size_t parts = EvaluationParts(spec, /*model_index=*/0, seeds).size();
  return {WorkUnit::kModels, static_cast<int64_t>(parts)};
}

StageWork OneTask(const ExperimentSpec& /*spec*/) { return {WorkUnit::kUnmeasured, 1}; }

// In the order of StageKind.
constexpr StageNeeds kNeeds[] = {
    {StageKind::kCheck, TaskKind::kCheck, true, false, TrainerOfTheFile, CheckWork},
    {StageKind::kSweep, TaskKind::kTrain, true, true, TrainerOfTheFile, SweepWork},
    {StageKind::kReplicate, TaskKind::kTrain, true, true, TrainerOfTheFile, ReplicateWork},
    {StageKind::kEvaluate, TaskKind::kEvaluate, true, false, Evaluator, EvaluateWork},
    {StageKind::kExport, TaskKind::kExport, true, false, Trainer, OneTask},
    {StageKind::kReport, TaskKind::kReport, false, false, Reporter, OneTask},
};
static_assert(std::equal(std::begin(kNeeds), std::end(kNeeds), std::begin(kAllStages),
                         std::end(kAllStages),
                         [](const StageNeeds& row, StageKind stage) { return row.stage == stage; }),
              "one row a stage, in their order");

}  // namespace

const StageNeeds& NeedsOf(StageKind stage) { return kNeeds[static_cast<size_t>(stage)]; }

int64_t RanksOf(const ExperimentSpec& spec, StageKind stage) {
  return NeedsOf(stage).gang ? spec.resources.ranks : 1;
}

int64_t GpusOf(const ExperimentSpec& spec, StageKind stage) {
  return NeedsOf(stage).holds_gpus ? GpusOf(spec.resources).count : 0;
}

int64_t StageWork::Runs() const {
  if (packs.empty()) return tasks;
  size_t runs = 0;
  for (const std::vector<size_t>& pack : packs) runs += pack.size();
  return static_cast<int64_t>(runs);
}

StepsToEnds StepsOf(const StageWork& work) {
  return {work.ends, work.eta > 0 ? RungReach(work.ends.size(), work.Runs(), work.eta)
                                  : std::vector<double>(work.ends.size(), 1.0)};
}

}  // namespace scm::core
