#include "statistics/student_t.h"

#include <cmath>
#include <limits>

#include "statistics/beta.h"

namespace scm::statistics {

double StudentTwoSided(double t, double df) {
  if (!(df > 0) || std::isnan(t)) return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(t)) return 0;
  const double square = t * t;
  return IncompleteBeta(0.5 * df, 0.5, df / (df + square), square / (df + square));
}

double StudentCdf(double t, double df) {
  const double tail = 0.5 * StudentTwoSided(t, df);
  return t > 0 ? 1 - tail : tail;
}

double StudentQuantile(double p, double df) {
  if (!(p >= 0 && p <= 1 && df > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (p == 0.5) return 0;
  if (p > 0.5) return -StudentQuantile(1 - p, df);
  if (p == 0) return -std::numeric_limits<double>::infinity();
  double low = 0, high = 1;
  while (0.5 * StudentTwoSided(high, df) > p && high < 1e300) {
    low = high;
    high *= 2;
  }
  for (int step = 0; step < 200; ++step) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    (0.5 * StudentTwoSided(middle, df) > p ? low : high) = middle;
  }
  return -0.5 * (low + high);
}

}  // namespace scm::statistics
