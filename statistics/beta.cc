#include "statistics/beta.h"

#include <math.h>  // lgamma_r: std::lgamma writes a global

#include <cmath>
#include <initializer_list>
#include <limits>

namespace scm::statistics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLogSqrt2Pi = 0.91893853320467274178;

double LogGamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

// log Γ(x) − [(x − ½) log x − x + ½ log 2π] for x ≥ 10: Stirling's series (DLMF 5.11.1).
double StirlingCorrection(double x) {
  const double r = 1 / (x * x);
  return (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r * (1.0 / 1188))))) / x;
}

// log Γ(a + b) − log Γ(a) for a ≥ 10, without the difference of two large numbers.
double LogGammaStep(double a, double b) {
  return (a - 0.5) * std::log1p(b / a) + b * (std::log(a + b) - 1) + StirlingCorrection(a + b) -
         StirlingCorrection(a);
}

// log of x^a y^b / B(a, b) with y = 1 − x.
double LogPrefactor(double a, double b, double x, double y) {
  if (a >= 10 && b >= 10) {
    // About the mode the two logarithms are small, and nothing large cancels.
    const double n = a + b;
    return a * std::log(x * n / a) + b * std::log(y * n / b) + 0.5 * std::log(a / n * b) -
           kLogSqrt2Pi + StirlingCorrection(n) - StirlingCorrection(a) - StirlingCorrection(b);
  }
  const double powers =
      a * (x > 0.5 ? std::log1p(-y) : std::log(x)) + b * (y > 0.5 ? std::log1p(-x) : std::log(y));
  if (a >= 10) return powers + LogGammaStep(a, b) - LogGamma(b);
  if (b >= 10) return powers + LogGammaStep(b, a) - LogGamma(a);
  return powers + LogGamma(a + b) - LogGamma(a) - LogGamma(b);
}

// The continued fraction of DLMF 8.17.22; converges fast for x < (a + 1) / (a + b + 2).
double ContinuedFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr double kEpsilon = 1e-16;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
  double value = d;
  for (int m = 1; m < 100000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double change = 1;
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
      c = 1 + term / c;
      if (std::fabs(c) < kTiny) c = kTiny;
      change = c * d;
      value *= change;
    }
    if (std::fabs(change - 1) <= kEpsilon) break;
  }
  return value;
}

}  // namespace

double IncompleteBeta(double a, double b, double x) { return IncompleteBeta(a, b, x, 1 - x); }

double IncompleteBeta(double a, double b, double x, double y) {
  if (!(a > 0 && b > 0 && x >= 0 && y >= 0)) return kNaN;
  if (x == 0) return 0;
  if (y == 0) return 1;
  const double scale = std::exp(LogPrefactor(a, b, x, y));
  if (x < (a + 1) / (a + b + 2)) return scale * ContinuedFraction(a, b, x) / a;
  return 1 - scale * ContinuedFraction(b, a, y) / b;
}

double InverseIncompleteBeta(double a, double b, double p) {
  if (!(a > 0 && b > 0 && p >= 0 && p <= 1)) return kNaN;
  double low = 0, high = 1;
  for (int step = 0; step < 1100; ++step) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    (IncompleteBeta(a, b, middle) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace scm::statistics
