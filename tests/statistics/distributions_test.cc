// Reference values: scipy 1.17 (stats.norm, stats.t, stats.binom, special.betainc, binomtest).
#include <cmath>

#include "gtest/gtest.h"
#include "statistics/beta.h"
#include "statistics/binomial.h"
#include "statistics/normal.h"
#include "statistics/student_t.h"

namespace scm::statistics {
namespace {

void ExpectClose(double found, double expected, double relative = 1e-10) {
  EXPECT_NEAR(found, expected, relative * std::fabs(expected) + 1e-300);
}

TEST(Normal, CdfMatchesScipy) {
  const double rows[][2] = {{-8.2, 1.2019351542735735e-16}, {-3, 0.0013498980316300933},
                            {-1, 0.15865525393145707},      {0, 0.5},
                            {0.5, 0.6914624612740131},      {1.959963984540054, 0.975},
                            {6, 0.9999999990134123}};
  for (const auto& [z, p] : rows) ExpectClose(NormalCdf(z), p, 1e-13);
}

TEST(Normal, QuantileMatchesScipy) {
  const double rows[][2] = {{1e-300, -37.0470962993612}, {1e-10, -6.361340902404056},
                            {0.001, -3.090232306167813}, {0.025, -1.9599639845400545},
                            {0.3, -0.5244005127080409},  {0.8, 0.8416212335729143},
                            {0.975, 1.959963984540054},  {0.999999, 4.753424308817087}};
  for (const auto& [p, z] : rows) ExpectClose(NormalQuantile(p), z, 1e-11);
  EXPECT_EQ(NormalQuantile(0), -INFINITY);
  EXPECT_EQ(NormalQuantile(1), INFINITY);
  EXPECT_TRUE(std::isnan(NormalQuantile(1.5)));
}

TEST(StudentT, CdfAndTailMatchScipy) {
  const double cdf[][3] = {{-40, 1, 0.007956089912025812}, {-3.5, 2.5, 0.026172773480160172},
                           {-1, 4, 0.18695048315002943},   {0.3, 4, 0.6104392858612702},
                           {2.2, 9.7, 0.9733770476295729}, {2, 1000, 0.9771148267533741},
                           {5, 1e6, 0.9999997133001065},   {-1e-4, 3, 0.4999632447403869}};
  for (const auto& [t, df, p] : cdf) ExpectClose(StudentCdf(t, df), p);
  const double tail[][3] = {{0.5, 4.2, 0.6421428367969567},
                            {3, 9, 0.014956363910414222},
                            {12, 69, 1.4936997902591262e-18},
                            {-30, 100, 8.380332558688329e-52}};
  for (const auto& [t, df, p] : tail) ExpectClose(StudentTwoSided(t, df), p);
  EXPECT_TRUE(std::isnan(StudentCdf(1, 0)));
}

TEST(StudentT, QuantileMatchesScipy) {
  const double rows[][3] = {{0.975, 1, 12.706204736174694},  {0.975, 4, 2.7764451051977934},
                            {0.8, 4, 0.9409645772351816},    {0.975, 9.3, 2.25108222468444},
                            {0.995, 2.5, 7.163728138948783}, {0.025, 129.2, -1.9784954941906727},
                            {0.9995, 1, 636.6192487687897},  {0.8, 1e5, 0.8416248279969009}};
  for (const auto& [p, df, t] : rows) ExpectClose(StudentQuantile(p, df), t);
  EXPECT_EQ(StudentQuantile(0.5, 3), 0);
}

TEST(Beta, MatchesScipy) {
  const double rows[][4] = {
      {.5, .5, .3, 0.36901011956554536},    {2, 3, .5, 0.6875},
      {.5, 60, .01, 0.7268840595189313},    {10, 10, .5, 0.5},
      {400, 600, .42, 0.9011957646338766},  {5000, 50000, .09, 0.22970864900856472},
      {1e5, 1e5, .501, 0.8144532554424423}, {15, .5, .99, 0.5860649647763355}};
  for (const auto& [a, b, x, p] : rows) {
    ExpectClose(IncompleteBeta(a, b, x), p);
    EXPECT_NEAR(InverseIncompleteBeta(a, b, p), x, 1e-10);
    EXPECT_NEAR(IncompleteBeta(b, a, 1 - x), 1 - p, 1e-10);  // symmetry
  }
  EXPECT_EQ(IncompleteBeta(2, 3, 0), 0);
  EXPECT_EQ(IncompleteBeta(2, 3, 1), 1);
  EXPECT_TRUE(std::isnan(IncompleteBeta(0, 3, .5)));
  EXPECT_TRUE(std::isnan(IncompleteBeta(2, 3, 1.5)));
}

TEST(Binomial, CdfMatchesScipy) {
  const struct {
    int64_t k, n;
    double p, cdf;
  } rows[] = {{0, 36, .25, 3.178377532566917e-05},
              {66, 400, .25, 2.760232466357844e-05},
              {159, 400, .5, 2.4203065431987304e-05},
              {3, 10, .3, 0.6496107184000002},
              {250, 1000, .25, 0.5169865459091718},
              {180, 1000, .25, 7.496183309079217e-08},
              {9, 10, .9, 0.6513215599},
              {49000, 100000, .5, 1.2943580191734472e-10}};
  for (const auto& row : rows) ExpectClose(BinomialCdf(row.k, row.n, row.p), row.cdf);
  EXPECT_EQ(BinomialCdf(-1, 10, .5), 0);
  EXPECT_EQ(BinomialCdf(10, 10, .5), 1);
  EXPECT_EQ(BinomialCdf(3, 10, 0), 1);
  EXPECT_EQ(BinomialCdf(3, 10, 1), 0);
}

TEST(Binomial, SumsItsOwnProbabilities) {
  double sum = 0, term = std::pow(0.7, 12);  // P(X = 0)
  for (int k = 0; k < 12; ++k) {
    sum += term;
    ExpectClose(BinomialCdf(k, 12, 0.3), sum, 1e-12);
    term *= (12.0 - k) / (k + 1) * 0.3 / 0.7;
  }
}

TEST(Binomial, ClopperPearsonMatchesScipy) {
  const struct {
    int64_t k, n;
    double low, high;
  } rows[] = {{650, 1000, 0.6195298087440243, 0.6795838758486343},
              {5, 5, 0.47817624989501856, 1.0},
              {0, 7, 0.0, 0.4096163972250487},
              {1, 3, 0.008403758659612647, 0.9057006759492866},
              {13, 20, 0.4078114654671718, 0.8460907952154588}};
  for (const auto& row : rows) {
    const ProportionLimits limits = ClopperPearson(row.k, row.n);
    EXPECT_NEAR(limits.low, row.low, 1e-10);
    EXPECT_NEAR(limits.high, row.high, 1e-10);
  }
}

}  // namespace
}  // namespace scm::statistics
