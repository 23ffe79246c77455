#include "scmctl/plan/stage_steps.h"

#include <algorithm>

#include "coordinator/core/evaluation_parts.h"
#include "coordinator/core/search/sampling.h"

namespace scm::ctl {
namespace {

// Trials draw their values in random order; each reaches the next rung if its rank among those seen
// so far is in the top 1/eta (at least one): exactly the stopping rule, over exchangeable values.
std::vector<double> DrawSweepSteps(const ExperimentSpec& spec, int64_t trials, Philox& rng) {
  const std::vector<RungRow> rungs = RungTable(spec, trials);
  std::vector<double> steps;
  std::vector<std::vector<double>> seen(rungs.size());
  for (int64_t trial = 0; trial < trials; ++trial) {
    const double quality = rng.Uniform();
    double reached = static_cast<double>(rungs.front().step);
    for (size_t r = 0; r + 1 < rungs.size(); ++r) {
      seen[r].insert(std::upper_bound(seen[r].begin(), seen[r].end(), quality), quality);
      const size_t rank =
          std::lower_bound(seen[r].begin(), seen[r].end(), quality) - seen[r].begin();
      const size_t kept =
          std::max<size_t>(1, seen[r].size() / static_cast<size_t>(spec.sweep->eta));
      if (rank >= kept) break;
      reached = static_cast<double>(rungs[r + 1].step);
    }
    steps.push_back(reached);
  }
  return steps;
}

}  // namespace

int64_t SweepTrials(const ExperimentSpec& spec) {
  return spec.sweep ? static_cast<int64_t>(search::SamplePoints(*spec.sweep).size()) : 0;
}

std::vector<RungRow> RungTable(const ExperimentSpec& spec, int64_t trials) {
  std::vector<RungRow> rows;
  if (!spec.sweep) return rows;
  if (spec.sweep->search != "asha" || spec.sweep->rungs.empty()) {
    return {{spec.training.max_steps, trials}};
  }
  for (const int64_t step : spec.sweep->rungs) {
    rows.push_back({step, trials});
    trials = std::max<int64_t>(1, trials / spec.sweep->eta);
  }
  return rows;
}

std::vector<StageWork> DrawWork(const ExperimentSpec& spec, int64_t trials, Philox& rng) {
  std::vector<StageWork> work;
  for (const StageKind stage : spec.stages) {
    StageWork one{stage, 1, {0}};
    if (stage == StageKind::kCheck) {
      one.steps = {static_cast<double>(std::min(spec.check.steps, spec.training.max_steps))};
    } else if (stage == StageKind::kSweep && spec.sweep) {
      one.steps = DrawSweepSteps(spec, trials, rng);
    } else if (stage == StageKind::kReplicate) {
      one.steps.assign(spec.replicate.seeds.size(), static_cast<double>(spec.training.max_steps));
    } else if (stage == StageKind::kEvaluate) {
      const std::vector<core::TrainedSeed> seeds(spec.replicate.seeds.size());
      one.steps.assign(core::EvaluationParts(spec, /*fallback=*/false, seeds).size(), 0);
    }
    one.tasks = static_cast<int64_t>(one.steps.size());
    work.push_back(std::move(one));
  }
  return work;
}

}  // namespace scm::ctl
