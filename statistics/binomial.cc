#include "statistics/binomial.h"

#include <cmath>
#include <limits>

#include "statistics/beta.h"

namespace scm::statistics {

double BinomialCdf(int64_t k, int64_t n, double p) {
  if (n < 0 || !(p >= 0 && p <= 1)) return std::numeric_limits<double>::quiet_NaN();
  if (k < 0) return 0;
  if (k >= n) return 1;
  return IncompleteBeta(static_cast<double>(n - k), static_cast<double>(k + 1), 1 - p, p);
}

ProportionLimits ClopperPearson(int64_t k, int64_t n, double confidence) {
  const double tail = 0.5 * (1 - confidence);
  const double successes = static_cast<double>(k), failures = static_cast<double>(n - k);
  return {k == 0 ? 0 : InverseIncompleteBeta(successes, failures + 1, tail),
          k == n ? 1 : InverseIncompleteBeta(successes + 1, failures, 1 - tail)};
}

}  // namespace scm::statistics
