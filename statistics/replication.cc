#include "statistics/replication.h"

#include <algorithm>
#include <cmath>

#include "common/rng.h"
#include "statistics/student_t.h"

namespace scm::statistics {
namespace {

// χ² with n degrees of freedom, divided by n.
double DrawMeanSquare(int n, Philox* rng) {
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    const double x = rng->Normal();
    sum += x * x;
  }
  return sum / n;
}

// The estimate of the new experiment, with the interval that it would publish.
Estimate NewEstimate(const ReplicationQuestion& question, double value, double seed_variance) {
  Estimate next = question.estimate;
  const double old_seeds = question.estimate.seeds, seeds = question.seeds;
  const TwoWayVariance& found = question.estimate.variance;
  next.value = value;
  next.seeds = question.seeds;
  TwoWayVariance& v = next.variance;
  // What the seeds do not share averages out over them.
  v.residual = found.residual * old_seeds / seeds;
  v.cluster = std::max(found.cluster - found.residual, 0.0) + v.residual;
  v.seed = seed_variance / seeds;
  CombineParts(question.estimate.effective_clusters, question.seeds, &v);
  if (question.scale == GateScale::kLogit) {
    SetLogitInterval(next);
  } else {
    SetLinearInterval(next);
  }
  return next;
}

}  // namespace

double ReplicationProbability(const ReplicationQuestion& asked) {
  ReplicationQuestion question = asked;
  const int old_seeds = question.estimate.seeds;
  if (question.seeds == 0) question.seeds = old_seeds;
  if (!question.estimate.judged() || old_seeds < 2 || question.seeds < 2) return kNotANumber;
  Philox rng(question.seed, "replication");
  // The seeds' scores on these items: variance found, and n − 1 degrees of freedom for it.
  const double found = question.estimate.variance.seed * old_seeds;
  int passed = 0;
  for (int draw = 0; draw < question.draws; ++draw) {
    const double variance = found / DrawMeanSquare(old_seeds - 1, &rng);
    const double mean = question.estimate.value + std::sqrt(variance / old_seeds) * rng.Normal();
    const double value = mean + std::sqrt(variance / question.seeds) * rng.Normal();
    const double next = variance * DrawMeanSquare(question.seeds - 1, &rng);
    if (NewEstimate(question, value, next).low > question.threshold) ++passed;
  }
  return static_cast<double>(passed) / question.draws;
}

}  // namespace scm::statistics
