// The regularised incomplete beta function, from which Student's t, the binomial distribution and
// exact proportion limits follow. Pure.
#pragma once

namespace scm::statistics {

// I_x(a, b) for a, b > 0 and 0 ≤ x ≤ 1; NaN outside. Continued fraction by Lentz's method (DLMF
// 8.17.22); the prefactor is taken about x = a / (a + b), so that large a and b lose no digits.
double IncompleteBeta(double a, double b, double x);

// The same where 1 − x is known more accurately than x alone can say (x close to 1).
double IncompleteBeta(double a, double b, double x, double one_minus_x);

// x with I_x(a, b) = p, by bisection to the last bits. NaN for a, b ≤ 0 or p outside [0, 1].
double InverseIncompleteBeta(double a, double b, double p);

}  // namespace scm::statistics
