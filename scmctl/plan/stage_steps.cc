#include "scmctl/plan/stage_steps.h"

#include <algorithm>
#include <cmath>

namespace scm {
namespace {

int64_t GridSize(const SweepSpec& sweep) {
  int64_t size = 1;
  for (const auto& [key, range] : sweep.space) {
    if (const auto* choice = std::get_if<Choice>(&range)) {
      size *= static_cast<int64_t>(choice->values.size());
    }
  }
  return size;
}

int64_t Trials(const ExperimentSpec& spec) {
  return spec.sweep->search == "grid" ? std::min(spec.sweep->max_trials, GridSize(*spec.sweep))
                                      : spec.sweep->max_trials;
}

// Trials draw their values in random order; each reaches the next rung if its rank among those seen
// so far is in the top 1/eta (at least one): exactly the stopping rule, over exchangeable values.
std::vector<double> DrawSweepSteps(const ExperimentSpec& spec, Philox& rng) {
  const std::vector<RungRow> rungs = RungTable(spec);
  std::vector<double> steps;
  std::vector<std::vector<double>> seen(rungs.size());
  for (int64_t trial = 0; trial < Trials(spec); ++trial) {
    const double quality = rng.Uniform();
    double reached = static_cast<double>(rungs.front().step);
    for (size_t r = 0; r + 1 < rungs.size(); ++r) {
      seen[r].insert(std::upper_bound(seen[r].begin(), seen[r].end(), quality), quality);
      const size_t rank = std::lower_bound(seen[r].begin(), seen[r].end(), quality) - seen[r].begin();
      const size_t kept = std::max<size_t>(1, seen[r].size() / static_cast<size_t>(spec.sweep->eta));
      if (rank >= kept) break;
      reached = static_cast<double>(rungs[r + 1].step);
    }
    steps.push_back(reached);
  }
  return steps;
}

}  // namespace

std::vector<RungRow> RungTable(const ExperimentSpec& spec) {
  std::vector<RungRow> rows;
  if (!spec.sweep) return rows;
  int64_t trials = Trials(spec);
  if (spec.sweep->search != "asha" || spec.sweep->rungs.empty()) {
    return {{spec.training.max_steps, trials}};
  }
  for (const int64_t step : spec.sweep->rungs) {
    rows.push_back({step, trials});
    trials = std::max<int64_t>(1, trials / spec.sweep->eta);
  }
  return rows;
}

std::vector<StageWork> DrawWork(const ExperimentSpec& spec, Philox& rng) {
  std::vector<StageWork> work;
  for (const StageKind stage : spec.stages) {
    StageWork one{stage, 1, {0}};
    if (stage == StageKind::kCheck) {
      one.steps = {static_cast<double>(std::min(spec.check.steps, spec.training.max_steps))};
    } else if (stage == StageKind::kSweep && spec.sweep) {
      one.steps = DrawSweepSteps(spec, rng);
    } else if (stage == StageKind::kReplicate) {
      one.steps.assign(spec.replicate.seeds.size(), static_cast<double>(spec.training.max_steps));
    }
    one.tasks = static_cast<int64_t>(one.steps.size());
    work.push_back(std::move(one));
  }
  return work;
}

}  // namespace scm
