// Student's t distribution with real degrees of freedom (Satterthwaite's are no integers). Pure.
#pragma once

namespace scm::statistics {

// P(T_df ≤ t); df > 0, else NaN.
double StudentCdf(double t, double df);

// P(|T_df| ≥ |t|), accurate in the far tail.
double StudentTwoSided(double t, double df);

// t with P(T_df ≤ t) = p for 0 < p < 1; ∓∞ at 0 and 1.
double StudentQuantile(double p, double df);

}  // namespace scm::statistics
