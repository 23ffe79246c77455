#include "statistics/gates.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "statistics/to_json.h"

namespace scm::statistics {
namespace {

using testing::HasSubstr;

Estimate Found(double value, double low, double high) {
  Estimate e;
  e.value = value;
  e.low = low;
  e.high = high;
  e.seeds = 5;
  return e;
}

TEST(Gates, PassOnTheLowerBoundStrictly) {
  EXPECT_EQ(AccuracyGate(Found(.65, .61, .69), .6, "accuracy").result, GateResult::kMet);
  EXPECT_EQ(AccuracyGate(Found(.64, .57, .71), .6, "accuracy").result, GateResult::kNotMet);
  EXPECT_EQ(AccuracyGate(Found(.65, .60, .69), .6, "accuracy").result, GateResult::kNotMet);
  EXPECT_EQ(LossReductionGate(Found(.6, .51, .7), .5).result, GateResult::kMet);
  const Gate gate = AccuracyGate(Found(.64, .57, .71), .6, "accuracy on legal_reasoning");
  EXPECT_EQ(gate.sentence,
            "The accuracy on legal_reasoning is 0.640, 95 % interval 0.570 to 0.710 over 5 seeds; "
            "the gate asks that the lower bound exceed 0.6: not met.");
}

TEST(Gates, UnjudgedEstimatesPassNothing) {
  Estimate e = Found(.9, .8, .95);
  e.cannot_be_judged = "the items come from 4 clusters; an interval needs at least 10";
  const Gate gate = AccuracyGate(e, .6, "accuracy");
  EXPECT_EQ(gate.result, GateResult::kCannotBeJudged);
  EXPECT_THAT(gate.sentence, HasSubstr("4 clusters"));
  EXPECT_EQ(AccuracyGate(Estimate{}, .6, "accuracy").result, GateResult::kCannotBeJudged);
  EXPECT_FALSE(AllMet({gate}));
}

TEST(Gates, PValueNeedsAGain) {
  EXPECT_EQ(PValueGate({Found(.1, .05, .15), .001}, .05, "base").result, GateResult::kMet);
  EXPECT_EQ(PValueGate({Found(.1, -.01, .21), .07}, .05, "base").result, GateResult::kNotMet);
  const Gate loss = PValueGate({Found(-.1, -.15, -.05), .001}, .05, "base");
  EXPECT_EQ(loss.result, GateResult::kNotMet);
  EXPECT_THAT(loss.sentence, HasSubstr("the difference is -10.0 points"));
  EXPECT_EQ(PValueGate({Found(.1, .05, .15), std::nan("")}, .05, "base").result,
            GateResult::kCannotBeJudged);
}

// A curve may fall from 5.58 to 0.9 and the reduction that counts be small.
TEST(Gates, LossReductionSaysBothReadingsAndWhichCounts) {
  const Gate gate = LossReductionGate(Found(.191, .1, .28), .5, Found(.839, .8, .87));
  EXPECT_EQ(gate.found, .191);
  EXPECT_THAT(gate.sentence, HasSubstr("counted from what guessing among the choices loses, is "
                                       "0.191, 95 % interval 0.100 to 0.280"));
  EXPECT_THAT(gate.sentence, HasSubstr("Relative to the loss before training it is 0.839, which "
                                       "the gate does not use"));
  const Gate alike = LossReductionGate(Found(.6, .51, .7), .5, Found(.6, .51, .7));
  EXPECT_EQ(alike.sentence.find("before training"), std::string::npos);
}

TEST(Gates, AllMustHold) {
  const Gate met = AccuracyGate(Found(.65, .61, .69), .6, "accuracy");
  EXPECT_TRUE(AllMet({met, met}));
  EXPECT_FALSE(AllMet({met, UnjudgedGate("p_value", .05, "no baseline")}));
  EXPECT_FALSE(AllMet({}));
}

TEST(Gates, JsonHoldsNullForMissingNumbers) {
  const Json json = ToJson(UnjudgedGate("p_value", .05, "no baseline"));
  EXPECT_EQ(json["result"], "cannot_be_judged");
  EXPECT_TRUE(json["found"].is_null());
  EXPECT_EQ(json["asked"], .05);
  EXPECT_EQ(ToJson(Estimate{})["low"], nullptr);
}

// LoadGen's own figures.
TEST(Latency, MatchesLoadGen) {
  EXPECT_EQ(FastSamplesNeeded(0, .99, .99), 459);
  const double percentiles[][2] = {{.90, 64}, {.95, 130}, {.99, 662}};
  for (const auto& [p, fewest] : percentiles) {
    std::vector<double> samples(static_cast<size_t>(fewest));
    std::iota(samples.begin(), samples.end(), 1.0);
    const CertifiedPercentile enough = CertifyPercentile(samples, p);
    EXPECT_EQ(enough.samples_needed, fewest);
    ASSERT_TRUE(enough.bound.has_value());
    EXPECT_EQ(*enough.bound, fewest);  // t = 1: the slowest
    samples.pop_back();
    EXPECT_FALSE(CertifyPercentile(samples, p).bound.has_value());
  }
  std::vector<double> thousand(1000);
  std::iota(thousand.begin(), thousand.end(), 0.0);
  EXPECT_EQ(CertifyPercentile(thousand, .95).discarded, 33);
  EXPECT_EQ(*CertifyPercentile(thousand, .95).bound, 966);
  EXPECT_EQ(CertifyPercentile(thousand, .99).discarded, 1);
  EXPECT_EQ(CertifyPercentile(thousand, .95).found, 950);
}

TEST(Latency, ASampleThatIsNoNumberCertifiesNothing) {
  for (const double bad : {kNotANumber, std::numeric_limits<double>::infinity()}) {
    std::vector<double> samples(200, 10.0);
    samples[77] = bad;
    EXPECT_TRUE(std::isnan(NearestRankPercentile(samples, .5)));
    const CertifiedPercentile certified = CertifyPercentile(samples, .95);
    EXPECT_TRUE(std::isnan(certified.found));
    EXPECT_FALSE(certified.bound.has_value());
    EXPECT_EQ(LatencyGate(certified, 20).result, GateResult::kCannotBeJudged);
  }
}

TEST(Latency, GateUsesTheCertifiedBound) {
  std::vector<double> samples(200, 10.0);
  for (int i = 0; i < 5; ++i) samples[i] = 50;  // the bound at 200 samples discards few
  const CertifiedPercentile certified = CertifyPercentile(samples, .95);
  EXPECT_EQ(certified.found, 10);
  EXPECT_EQ(*certified.bound, 50);
  EXPECT_EQ(LatencyGate(certified, 20).result, GateResult::kNotMet);
  EXPECT_EQ(LatencyGate(certified, 51).result, GateResult::kMet);
  const Gate few = LatencyGate(CertifyPercentile(std::vector<double>(64, 1.0), .95), 20);
  EXPECT_EQ(few.result, GateResult::kCannotBeJudged);
  EXPECT_THAT(few.sentence, HasSubstr("64 samples, and a bound needs at least 130"));
}

}  // namespace
}  // namespace scm::statistics
