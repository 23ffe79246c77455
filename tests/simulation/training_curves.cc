#include "tests/simulation/training_curves.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace scm::simulation {
namespace {

constexpr double kMaxSteps = 2000;
constexpr double kAutocorrelation = 0.5;

policy::Validation Point(int64_t step, double loss) {
  policy::Validation out;
  out.step = step;
  out.loss = loss;
  return out;
}

// `level` of a step; the noise is relative to it. The loss before training is 1.
policy::RunHistory DrawLosses(const std::function<double(int64_t)>& level, double noise,
                              int64_t eval_steps, Philox& rng) {
  policy::RunHistory out;
  out.max_steps = static_cast<int64_t>(kMaxSteps);
  out.step = out.max_steps;
  out.eval_steps = eval_steps;
  out.validations.push_back(Point(0, 1));
  double error = noise * rng.Normal();
  const double fresh = noise * std::sqrt(1 - kAutocorrelation * kAutocorrelation);
  for (int64_t step = eval_steps; step <= out.max_steps; step += eval_steps) {
    error = kAutocorrelation * error + fresh * rng.Normal();
    out.validations.push_back(Point(step, level(step) * (1 + error)));
  }
  return out;
}

}  // namespace

const char* CurveName(Curve curve) {
  switch (curve) {
    case Curve::kFast:
      return "fast";
    case Curve::kOverfit:
      return "overfitting";
    case Curve::kPlateau:
      return "plateau 5.5 %";
    case Curve::kSlow:
      return "slow";
    case Curve::kFlat:
      return "flat";
    case Curve::kDiverging:
      return "diverging";
  }
  return "";
}

double Reduction(Curve curve, double step) {
  switch (curve) {
    case Curve::kFast:
      return 0.6 * (1 - std::exp(-step / 150));
    case Curve::kOverfit:
      return step < 400 ? 0.4 * step / 400 : 0.4 - 0.5 * (step - 400) / 1600;
    case Curve::kPlateau:
      return std::min(0.055, 0.055 * step / 300);
    case Curve::kSlow:
      return 0.07 * step / kMaxSteps;
    case Curve::kFlat:
      return 0;
    case Curve::kDiverging:
      return -0.5 * step / kMaxSteps;
  }
  return 0;
}

policy::RunHistory DrawLossHistory(Curve curve, double noise, int64_t eval_steps, Philox& rng) {
  return DrawLosses([&](int64_t step) { return 1 - Reduction(curve, static_cast<double>(step)); },
                    noise, eval_steps, rng);
}

policy::RunHistory DrawLossHistory(const Explosion& explosion, double noise, int64_t eval_steps,
                                   Philox& rng) {
  const double plateau = explosion.from_step > 0 ? 0.98 : 1;
  return DrawLosses(
      [&](int64_t step) {
        const int64_t beyond = std::max<int64_t>(0, step - explosion.from_step);
        return plateau * std::pow(explosion.factor, static_cast<double>(beyond / eval_steps));
      },
      noise, eval_steps, rng);
}

policy::RunHistory DrawAccuracyHistory(const AccuracyDesign& design, Philox& rng) {
  policy::RunHistory out;
  out.max_steps = out.step = design.max_steps;
  out.eval_steps = design.eval_steps;
  std::vector<bool> right(static_cast<size_t>(design.items));
  for (int64_t step = 0; step <= design.max_steps; step += design.eval_steps) {
    int64_t correct = 0;
    for (size_t i = 0; i < right.size(); ++i) {
      if (step == 0 || rng.Uniform() >= design.keep) right[i] = rng.Uniform() < design.accuracy;
      correct += right[i];
    }
    policy::Validation point = Point(step, 1);
    point.accuracy = static_cast<double>(correct) / static_cast<double>(design.items);
    point.counts = ValidationCounts{correct, design.items, design.chance, design.deff};
    out.validations.push_back(point);
  }
  return out;
}

}  // namespace scm::simulation
