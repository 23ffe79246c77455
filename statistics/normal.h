// The standard normal distribution. Pure.
#pragma once

namespace scm::statistics {

// P(Z ≤ z), relative accuracy near 1e-15 in both tails.
double NormalCdf(double z);

// z with P(Z ≤ z) = p for 0 < p < 1; ∓∞ at 0 and 1, NaN outside. Starting value from Abramowitz and
// Stegun 26.2.23, refined by Halley steps on erfc to full double accuracy.
double NormalQuantile(double p);

}  // namespace scm::statistics
