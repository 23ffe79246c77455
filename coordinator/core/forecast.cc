#include "coordinator/core/forecast.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace scm::core {
namespace {

constexpr double kPriorVariation = 0.15;
constexpr double kPriorRuns = 2;
constexpr double kNormalP90 = 1.2816;

// What a set of tasks adds up to, in steps.
struct Sum {
  double steps = 0;
  double squares = 0;   // Σ mean², for the pace of each task
  double variance = 0;  // of the number of steps itself

  void Add(const StepsAhead& task) {
    steps += task.mean;
    squares += task.mean * task.mean;
    variance += task.variance;
  }
};

// Variance in seconds of the time that these tasks take one after the other.
double Variance(const ForecastInput& input, const Sum& sum) {
  const double pace = input.pace.seconds_per_step;
  const double spread = input.pace.variation * input.pace.variation;
  const double of_pace =
      spread * (sum.squares + sum.steps * sum.steps / std::max(1.0, input.pace.runs));
  const double seconds = sum.steps * pace;
  const double rate = (input.failures + 0.5) / std::max(1.0, input.leased_seconds + seconds);
  const double loss = input.save_steps * pace;
  return pace * pace * (of_pace + sum.variance) + rate * seconds * loss * loss / 3;
}

// The tasks that one of `slots` slots carries out one after the other: its share of the work, but
// no less than the longest task, and no less than whole tasks of the middle length.
Sum Chain(const StageAhead& stage, double slots) {
  Sum all;
  StepsAhead longest;
  double open = 0;
  for (const StepsAhead& task : stage.tasks) {
    if (task.mean <= 0) continue;
    all.Add(task);
    if (task.mean > longest.mean) longest = task;
    ++open;
  }
  if (open == 0) return all;
  const double at_once = std::max(1.0, std::floor(slots / stage.ranks));
  const double rounds = std::ceil(open / at_once);
  const double share = std::max(rounds / open, longest.mean / all.steps);
  return {all.steps * share, all.squares * share, all.variance * share};
}

// How many came to a rung so far: the distribution of a sum of independent yes and no, without the
// ends that hold nothing.
class Arrivals {
 public:
  void Add(double probability) {
    counts_.push_back(0);
    for (size_t k = counts_.size() - 1; k > 0; --k) {
      counts_[k] += probability * (counts_[k - 1] - counts_[k]);
    }
    counts_[0] *= 1 - probability;
    while (counts_.size() > 1 && counts_.back() < kNothing) counts_.pop_back();
    const auto first =
        std::find_if(counts_.begin(), counts_.end(), [](double p) { return p >= kNothing; });
    least_ += first - counts_.begin();
    counts_.erase(counts_.begin(), first);
  }
  // Of how many one may be among the best, with the one that comes now.
  double MeanKept(int64_t eta) const {
    double mean = 0;
    for (size_t k = 0; k < counts_.size(); ++k) {
      const int64_t came = least_ + static_cast<int64_t>(k) + 1;
      mean += counts_[k] * static_cast<double>(std::max<int64_t>(came / eta, 1));
    }
    return mean;
  }

 private:
  static constexpr double kNothing = 1e-15;
  int64_t least_ = 0;
  std::vector<double> counts_ = {1.0};  // probability of least_, least_ + 1, …
};

}  // namespace

std::optional<Pace> PaceOf(const std::vector<MeasuredRun>& runs) {
  double seconds = 0, steps = 0, count = 0, sum = 0, squares = 0;
  for (const MeasuredRun& run : runs) {
    if (run.steps <= 0 || run.seconds <= 0) continue;
    seconds += run.seconds;
    steps += run.steps;
    const double log_pace = std::log(run.seconds / run.steps);
    sum += log_pace;
    squares += log_pace * log_pace;
    ++count;
  }
  if (count == 0) return std::nullopt;
  const double scatter = std::max(0.0, squares - sum * sum / count);
  const double variance =
      (kPriorRuns * kPriorVariation * kPriorVariation + scatter) / (kPriorRuns + count - 1);
  return Pace{seconds / steps, std::sqrt(variance), count};
}

std::vector<double> RungReach(size_t rungs, int64_t trials, int64_t eta) {
  const auto n = static_cast<size_t>(std::max<int64_t>(trials, 1));
  std::vector<double> reach;
  std::vector<double> here(n, 1.0);  // probability that the j-th trial comes to this rung
  for (size_t r = 0; r < rungs; ++r) {
    double sum = 0;
    for (const double p : here) sum += p;
    reach.push_back(sum / static_cast<double>(n));
    Arrivals before;
    for (size_t j = 0; j < n; ++j) {
      const double kept = before.MeanKept(std::max<int64_t>(eta, 1));
      before.Add(here[j]);
      here[j] = std::min(here[j], kept / static_cast<double>(j + 1));
    }
  }
  return reach;
}

StepsToEnds::StepsToEnds(std::vector<int64_t> ends, std::vector<double> reach)
    : ends_(std::move(ends)), reach_(std::move(reach)) {}

StepsAhead StepsToEnds::Beyond(int64_t step) const {
  double mean = 0, square = 0, alive = 0;
  for (size_t r = 0; r < ends_.size(); ++r) {
    if (ends_[r] <= step) continue;  // behind it: it went on from there
    if (alive == 0) alive = reach_[r];
    const double next = r + 1 < ends_.size() ? reach_[r + 1] : 0;
    const double share = (reach_[r] - next) / alive;
    const auto ahead = static_cast<double>(ends_[r] - step);
    mean += share * ahead;
    square += share * ahead * ahead;
  }
  return {mean, std::max(0.0, square - mean * mean)};
}

Forecast MakeForecast(const ForecastInput& input) {
  const double slots = std::max(1.0, input.slots);
  Sum work, chain;
  for (const StageAhead& stage : input.stages) {
    for (const StepsAhead& task : stage.tasks) {
      work.Add({task.mean * stage.ranks, task.variance * stage.ranks * stage.ranks});
    }
    const Sum longest = Chain(stage, slots);
    chain.steps += longest.steps;
    chain.squares += longest.squares;
    chain.variance += longest.variance;
  }
  Forecast forecast;
  const double pace = input.pace.seconds_per_step;
  forecast.work_p50 = work.steps * pace;
  forecast.wall_p50 = chain.steps * pace;
  if (work.steps <= 0) return forecast;
  forecast.work_p90 = forecast.work_p50 + kNormalP90 * std::sqrt(Variance(input, work));
  forecast.wall_p90 = forecast.wall_p50 + kNormalP90 * std::sqrt(Variance(input, chain));
  return forecast;
}

}  // namespace scm::core
