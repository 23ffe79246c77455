// The binomial distribution and exact limits of a proportion. Pure.
#pragma once

#include <cstdint>

namespace scm::statistics {

// P(X ≤ k) for X ~ Binomial(n, p); 0 below k = 0, 1 from k = n. NaN for n < 0 or p outside [0, 1].
double BinomialCdf(int64_t k, int64_t n, double p);

struct ProportionLimits {
  double low, high;
};

// Clopper and Pearson's exact limits of k successes in n ≥ 1 independent trials ("The use of
// confidence or fiducial limits", Biometrika 1934).
ProportionLimits ClopperPearson(int64_t k, int64_t n, double confidence = 0.95);

}  // namespace scm::statistics
