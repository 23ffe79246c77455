#include "coordinator/core/forecast.h"

#include <algorithm>
#include <cmath>

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
  const double rounds = std::ceil(open / slots);
  const double share = std::max(rounds / open, longest.mean / all.steps);
  return {all.steps * share, all.squares * share, all.variance * share};
}

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

double RungSurvival(int64_t trials, int64_t eta) {
  if (trials < 1) return 1;
  double survivors = 0;
  for (int64_t j = 1; j <= trials; ++j) {
    survivors += static_cast<double>(std::max<int64_t>(j / std::max<int64_t>(eta, 1), 1)) /
                 static_cast<double>(j);
  }
  return survivors / static_cast<double>(trials);
}

StepsAhead TrialSteps(const std::vector<int64_t>& rungs, int64_t trials, int64_t eta,
                      int64_t step) {
  double alive = 1, mean = 0, square = 0, reached = static_cast<double>(trials);
  for (size_t r = 0; r < rungs.size(); ++r) {
    const bool last = r + 1 == rungs.size();
    const double survival =
        last ? 0 : RungSurvival(static_cast<int64_t>(std::lround(reached)), eta);
    reached = std::max(1.0, reached * survival);
    if (rungs[r] <= step) continue;  // behind it: it went on from there
    const double ahead = static_cast<double>(rungs[r] - step);
    const double ends = alive * (1 - survival);
    mean += ends * ahead;
    square += ends * ahead * ahead;
    alive *= survival;
  }
  return {mean, std::max(0.0, square - mean * mean)};
}

Forecast MakeForecast(const ForecastInput& input) {
  const double slots = std::max(1.0, input.slots);
  Sum work, chain;
  for (const StageAhead& stage : input.stages) {
    for (const StepsAhead& task : stage.tasks) work.Add(task);
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
