#include "statistics/advice.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "statistics/detectable_effect.h"
#include "statistics/student_t.h"

namespace scm::statistics {
namespace {

constexpr double kMostTimes = 1e6;  // beyond this many times the data, the answer is "never"

// The observed variance, split into what shrinks with items and what does not.
struct Parts {
  double items, seeds, residual;
};

Parts Split(const TwoWayVariance& variance) {
  const double seed = SeedShare(variance);
  const double rest = variance.total - seed;
  return {rest, seed, std::min(variance.residual, rest)};
}

double Transform(double value, GateScale scale) {
  return scale == GateScale::kLogit ? std::log(value / (1 - value)) : value;
}

// Whether the gate passes with the wanted power, at `value`, with `item_times` the items and
// `seed_times` the seeds.
bool Passes(const AdviceQuestion& question, double value, double item_times, double seed_times) {
  const Estimate& e = question.estimate;
  if (question.scale == GateScale::kLogit && !(value > 0 && value < 1)) return false;
  if (value <= question.threshold || value > question.highest) return false;
  const Parts parts = Split(e.variance);
  // More seeds average out the seeds' spread and the residual, never what all seeds share.
  const double cluster = (parts.items - parts.residual + parts.residual / seed_times) / item_times;
  const double seed = parts.seeds / seed_times;
  const double df = DesignDegreesOfFreedom(cluster, seed, e.effective_clusters * item_times,
                                           e.seeds * seed_times);
  double margin =
      (StudentQuantile(1 - 0.5 * question.alpha, df) + StudentQuantile(question.power, df)) *
      std::sqrt(cluster + seed);
  if (question.scale == GateScale::kLogit) margin /= value * (1 - value);
  return Transform(value, question.scale) - margin > Transform(question.threshold, question.scale);
}

// Smallest x in (1, most] with passes(x), passes being monotone; nullopt where there is none.
template <typename Predicate>
std::optional<double> Smallest(Predicate passes, double most) {
  if (passes(1.0)) return 1.0;
  if (!passes(most)) return std::nullopt;
  double low = 1, high = 2;
  while (high < most && !passes(high)) {
    low = high;
    high *= 2;
  }
  high = std::min(high, most);
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    (passes(middle) ? high : low) = middle;
  }
  return high;
}

std::optional<double> MoreValue(const AdviceQuestion& question) {
  const double value = question.estimate.value;
  const double far = std::max(value, question.threshold) + 10 * question.estimate.width();
  const double top = question.scale == GateScale::kLogit ? 1.0 : std::min(question.highest, far);
  constexpr int kSteps = 2000;
  for (int step = 0; step <= kSteps; ++step) {
    const double candidate = value + (top - value) * step / kSteps;
    if (Passes(question, candidate, 1, 1)) return candidate - value;
  }
  return std::nullopt;
}

// Two significant digits, upwards: an advice is no measurement.
int RoundUp(int n) {
  int unit = 1;
  while (n / unit >= 100) unit *= 10;
  return (n + unit - 1) / unit * unit;
}

std::string Sentence(const AdviceQuestion& question, const Advice& advice) {
  std::string text;
  if (question.estimate.value <= question.threshold) {
    text = "at this value no number of items or seeds is enough";
  } else if (advice.more_items) {
    text = absl::StrCat("at this value and spread about ", RoundUp(*advice.more_items),
                        " more test items");
  } else if (advice.more_seeds) {
    text = absl::StrCat("no number of test items at this spread of seeds; ", *advice.more_seeds,
                        " more seeds");
  } else {
    text = "no number of test items at this spread, and no number of seeds with these items: both";
  }
  if (advice.more_value) {
    absl::StrAppend(
        &text, absl::StrFormat(", or a value higher by %.2g points", 100 * *advice.more_value));
  }
  return absl::StrCat(text, absl::StrFormat(" (to pass %.0f times in 100)", 100 * question.power));
}

}  // namespace

Advice WhatWouldChange(const AdviceQuestion& question) {
  const Estimate& e = question.estimate;
  Advice advice;
  if (!e.judged() || !(e.variance.df > 0)) {
    advice.sentence = absl::StrCat("what is missing: ", e.cannot_be_judged);
    return advice;
  }
  const auto items =
      Smallest([&](double t) { return Passes(question, e.value, t, 1); }, kMostTimes);
  const auto seeds =
      Smallest([&](double t) { return Passes(question, e.value, 1, t); }, kMostTimes);
  if (items) {
    advice.more_items = static_cast<int>(std::min(2e9, std::ceil((*items - 1) * e.items)));
  }
  if (seeds) {
    advice.more_seeds = static_cast<int>(std::min(2e9, std::ceil((*seeds - 1) * e.seeds)));
  }
  advice.more_value = MoreValue(question);
  advice.sentence = Sentence(question, advice);
  return advice;
}

}  // namespace scm::statistics
