#include "scmctl/plan/stage_steps.h"

#include <algorithm>

namespace scm::ctl {
namespace {

// Trials draw their values in random order; each reaches the next rung if its rank among those seen
// so far is in the top 1/eta (at least one): exactly the stopping rule, over exchangeable values.
std::vector<double> DrawTrials(const core::StageWork& work, Philox& rng) {
  std::vector<double> steps;
  std::vector<std::vector<double>> seen(work.ends.size());
  const int64_t trials = work.Runs();
  for (int64_t trial = 0; trial < trials; ++trial) {
    const double quality = rng.Uniform();
    double reached = static_cast<double>(work.ends.front());
    for (size_t r = 0; r + 1 < work.ends.size(); ++r) {
      seen[r].insert(std::upper_bound(seen[r].begin(), seen[r].end(), quality), quality);
      const size_t rank =
          std::lower_bound(seen[r].begin(), seen[r].end(), quality) - seen[r].begin();
      const size_t kept = std::max<size_t>(1, seen[r].size() / static_cast<size_t>(work.eta));
      if (rank >= kept) break;
      reached = static_cast<double>(work.ends[r + 1]);
    }
    steps.push_back(reached);
  }
  return steps;
}

// Of each task, what its trials take together.
std::vector<double> ByTask(const core::Packs& packs, const std::vector<double>& of_trials) {
  if (packs.empty()) return of_trials;
  std::vector<double> of_tasks;
  for (const std::vector<size_t>& pack : packs) {
    double& sum = of_tasks.emplace_back(0);
    for (const size_t trial : pack) sum += of_trials[trial];
  }
  return of_tasks;
}

}  // namespace

std::vector<RungRow> RungTable(const ExperimentSpec& spec) {
  std::vector<RungRow> rows;
  if (!spec.sweep) return rows;
  const core::StageWork work = core::NeedsOf(StageKind::kSweep).work(spec);
  int64_t trials = work.Runs();
  for (const int64_t step : work.ends) {
    rows.push_back({step, trials});
    trials = std::max<int64_t>(1, trials / work.eta);
  }
  return rows;
}

std::vector<double> DrawSteps(const core::StageWork& work, Philox& rng) {
  if (work.eta > 0) return ByTask(work.packs, DrawTrials(work, rng));
  const double steps = work.ends.empty() ? 0 : static_cast<double>(work.ends.back());
  return std::vector<double>(static_cast<size_t>(work.tasks), steps);
}

}  // namespace scm::ctl
