#include "statistics/significance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/rng.h"
#include "common/status_macros.h"
#include "statistics/binomial.h"
#include "statistics/student_t.h"

namespace scm::statistics {
namespace {

// Sums of the same terms in another order may differ in the last bits and must count as ties.
double TieTolerance(const std::vector<double>& terms) {
  double size = 0;
  for (double term : terms) size += std::fabs(term);
  return 1e-12 * size;
}

SignFlipResult EnumerateSigns(const std::vector<double>& terms, double observed) {
  const uint64_t patterns = uint64_t{1} << terms.size();
  uint64_t as_extreme = 0;
  for (uint64_t pattern = 0; pattern < patterns; ++pattern) {
    double sum = 0;
    for (size_t c = 0; c < terms.size(); ++c) sum += (pattern >> c & 1) ? -terms[c] : terms[c];
    if (std::fabs(sum) >= observed) ++as_extreme;
  }
  return {static_cast<double>(as_extreme) / static_cast<double>(patterns), 0, true};
}

SignFlipResult SampleSigns(const std::vector<double>& terms, double observed, int resamples,
                           uint64_t seed) {
  int as_extreme = 0;
  for (int r = 0; r < resamples; ++r) {
    Philox rng(seed, "sign_flip", static_cast<uint64_t>(r));
    double sum = 0;
    for (size_t c = 0; c < terms.size(); c += 32) {
      const uint32_t bits = rng.Next32();
      const size_t end = std::min(terms.size(), c + 32);
      for (size_t i = c; i < end; ++i) sum += (bits >> (i - c) & 1) ? -terms[i] : terms[i];
    }
    if (std::fabs(sum) >= observed) ++as_extreme;
  }
  return {(1.0 + as_extreme) / (1.0 + resamples), 0, false};
}

}  // namespace

double PValue(const Estimate& difference) {
  const double v = difference.variance.total;
  if (!(v > 0) || !std::isfinite(difference.low)) return kNotANumber;
  return StudentTwoSided(difference.value / std::sqrt(v), difference.variance.df);
}

absl::StatusOr<Comparison> CompareWithBaseline(const ScoreTable& model,
                                               const std::vector<double>& baseline,
                                               double confidence) {
  SCM_ASSIGN_OR_RETURN(ScoreTable differences, Difference(model, baseline));
  SCM_ASSIGN_OR_RETURN(Estimate estimate, DifferenceInterval(differences, confidence));
  const double p = estimate.clusters < 2 ? kNotANumber : PValue(estimate);
  return Comparison{std::move(estimate), p};
}

double SmallestSignFlipP(int groups, int resamples) {
  return std::max(std::exp2(1 - groups), 1.0 / (resamples + 1.0));
}

SignFlipResult SignFlip(const ClusterTotals& differences, int resamples, uint64_t seed) {
  std::vector<double> terms(differences.items.size(), 0);
  for (const std::vector<double>& row : differences.totals) {
    for (size_t c = 0; c < terms.size(); ++c) terms[c] += row[c] / differences.seeds();
  }
  const double observed =
      std::fabs(std::accumulate(terms.begin(), terms.end(), 0.0)) - TieTolerance(terms);
  const bool enumerate = terms.size() < 31 && std::exp2(terms.size()) <= resamples;
  SignFlipResult out =
      enumerate ? EnumerateSigns(terms, observed) : SampleSigns(terms, observed, resamples, seed);
  out.smallest_p = SmallestSignFlipP(static_cast<int>(terms.size()), resamples);
  if (!out.exact) out.p_value = std::max(out.p_value, out.smallest_p);
  return out;
}

absl::StatusOr<McNemarResult> McNemar(const std::vector<double>& model,
                                      const std::vector<double>& baseline) {
  if (model.size() != baseline.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("McNemar's test needs the same items on both sides, not ", model.size(),
                     " and ", baseline.size()));
  }
  McNemarResult out;
  for (size_t i = 0; i < model.size(); ++i) {
    for (double score : {model[i], baseline[i]}) {
      if (score != 0 && score != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("McNemar's test needs scores of 0 or 1; item number ", i, " has ", score));
      }
    }
    if (model[i] > baseline[i]) ++out.only_model;
    if (model[i] < baseline[i]) ++out.only_baseline;
  }
  const int64_t discordant = out.only_model + out.only_baseline;
  const int64_t fewer = std::min(out.only_model, out.only_baseline);
  out.p_value = discordant == 0 ? 1 : std::min(1.0, 2 * BinomialCdf(fewer, discordant, 0.5));
  return out;
}

std::vector<double> Holm(const std::vector<double>& p_values) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p_values.size(); ++i) {
    if (!std::isnan(p_values[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size(), kNotANumber);
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double factor = static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, factor * p_values[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

}  // namespace scm::statistics
