#include "tests/fakes/fake_trainer/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/rng.h"

namespace scm::fake {
namespace {

constexpr double kStart = 2.5;  // loss of the untouched base
constexpr double kFloor = 0.5;  // where the best learning rate ends

double Noise(absl::string_view purpose, const Script& script, int64_t seed, int64_t step) {
  return script.noise * Philox(static_cast<uint64_t>(seed), purpose, step).Normal();
}

// Without noise. Step 0 is the base in every curve.
double Shape(const Script& s, double learning_rate, int64_t step) {
  const double distance =
      learning_rate > 0 ? std::fabs(std::log10(learning_rate / s.best_learning_rate)) : 2.0;
  const double floor = std::min(kStart, kFloor + distance);
  const double t = static_cast<double>(step);
  if (s.curve == "flat" || s.curve == "inverted") return kStart;
  if (s.curve == "slow") return kStart * (1 - 3.5e-4 * t);
  if (s.curve == "diverging") return kStart * (1 + 0.05 * std::min(t, 200.0));
  if (s.curve == "plateau") return std::max(1.5, kStart - 0.05 * t);
  return floor + (kStart - floor) * std::exp(-t / 40);  // good, and nan until it strikes
}

}  // namespace

double TrainLoss(const Script& script, double learning_rate, int64_t seed, int64_t step) {
  if (script.curve == "nan" && step >= script.nan_at_step) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return Shape(script, learning_rate, step) + Noise("train", script, seed, step);
}

double ValidationLoss(const Script& script, double learning_rate, int64_t seed, int64_t step) {
  if (script.curve == "nan" && step >= script.nan_at_step) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double noise = step == 0 ? 0 : Noise("validation", script, seed, step);
  return Shape(script, learning_rate, step) + noise;
}

int64_t CorrectItems(const Script& script, double learning_rate, int64_t seed, int64_t step) {
  const double chance = 1.0 / static_cast<double>(script.choices);
  double accuracy;
  if (script.curve == "inverted") {
    accuracy = step == 0 ? chance : chance / 4;
  } else {
    const double learnt = (kStart - Shape(script, learning_rate, step)) / (kStart - kFloor);
    accuracy = chance + (0.9 - chance) * std::clamp(learnt, 0.0, 1.0);
  }
  Philox rng(static_cast<uint64_t>(seed), "answers", static_cast<uint64_t>(step));
  int64_t correct = 0;
  for (int64_t i = 0; i < script.items; ++i) correct += rng.Uniform() < accuracy ? 1 : 0;
  return correct;
}

}  // namespace scm::fake
