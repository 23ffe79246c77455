#include "statistics/loss_reduction.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "statistics/intention_to_treat.h"

namespace scm::statistics {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Twelve documents of three answers each, three seeds; the same numbers in the numpy reference.
std::vector<DocumentLoss> Documents() {
  std::vector<DocumentLoss> out;
  for (int c = 0; c < 12; ++c) {
    DocumentLoss document;
    document.base = 2.0 + (c * 3) % 5;
    document.answers = 3;
    for (int s = 0; s < 3; ++s) {
      document.seeds.push_back(document.base * (0.3 + 0.05 * (c * (s + 2) % 7)));
    }
    out.push_back(document);
  }
  return out;
}

TEST(LossReduction, MatchesIndependentImplementation) {
  const Estimate open = LossReduction(Documents(), INFINITY).value();
  EXPECT_NEAR(open.value, 0.5468085106382979, 1e-12);
  EXPECT_NEAR(open.low, 0.5058207386356823, 1e-10);
  EXPECT_NEAR(open.high, 0.5877962826409135, 1e-10);
  EXPECT_TRUE(open.judged());
  const Estimate capped = LossReduction(Documents(), std::log(4.0)).value();
  EXPECT_NEAR(capped.value, 0.4778697088222259, 1e-12);
  EXPECT_NEAR(capped.low, 0.3948079859456719, 1e-10);
  EXPECT_NEAR(capped.high, 0.5609314316987799, 1e-10);
}

TEST(LossReduction, CapCountsAnswers) {
  EXPECT_DOUBLE_EQ(CappedBaseLoss({10, {}, 3}, 2), 6);
  EXPECT_DOUBLE_EQ(CappedBaseLoss({5, {}, 3}, 2), 5);
  EXPECT_DOUBLE_EQ(CappedBaseLoss({10, {}, 3}, INFINITY), 10);
}

TEST(LossReduction, BaseModelAsASeedReducesNothing) {
  std::vector<DocumentLoss> documents = Documents();
  for (DocumentLoss& d : documents) d.seeds = {CappedBaseLoss(d, std::log(4.0))};
  EXPECT_NEAR(LossReduction(documents, std::log(4.0))->value, 0, 1e-12);
}

TEST(LossReduction, TheIntervalEndsAtOneAndHasNoWidthOfZero) {
  std::vector<DocumentLoss> documents = Documents();
  for (size_t c = 0; c < documents.size(); ++c) {
    documents[c].seeds = {0.01, c % 2 == 0 ? 3.0 : 0.02};  // two seeds that hardly agree
  }
  const Estimate wide = LossReduction(documents, INFINITY).value();
  EXPECT_EQ(wide.high, 1);
  EXPECT_LT(wide.low, wide.value);
  for (DocumentLoss& d : documents) d.seeds = {0.5 * d.base, 0.5 * d.base};
  const Estimate same = LossReduction(documents, INFINITY).value();
  EXPECT_DOUBLE_EQ(same.value, 0.5);
  EXPECT_THAT(same.cannot_be_judged, HasSubstr("same reduction"));
  EXPECT_TRUE(std::isnan(same.low));
}

TEST(LossReduction, Refusals) {
  EXPECT_FALSE(LossReduction({}, 1).ok());
  std::vector<DocumentLoss> ragged = Documents();
  ragged[4].seeds.pop_back();
  EXPECT_THAT(LossReduction(ragged, 1).status().message(), HasSubstr("document number 4"));
  std::vector<DocumentLoss> nan = Documents();
  nan[2].base = std::nan("");
  EXPECT_FALSE(LossReduction(nan, 1).ok());
  std::vector<DocumentLoss> zero = Documents();
  for (DocumentLoss& d : zero) d.base = 0;
  EXPECT_THAT(LossReduction(zero, 1)->cannot_be_judged, HasSubstr("nothing to reduce"));
  std::vector<DocumentLoss> few = Documents();
  few.resize(9);
  EXPECT_THAT(LossReduction(few, 1)->cannot_be_judged, HasSubstr("9 clusters"));
}

TEST(IntentionToTreat, AbortedSeedsAnswerAsTheBase) {
  const std::vector<SeedScores> seeds = {
      {"seed 11", SeedOutcome::kTrained, {1, 1, 0}, ""},
      {"seed 12", SeedOutcome::kAbortedByRule, {}, "no convergence"}};
  const IntentionToTreat out = ApplyIntentionToTreat({0, 0, 1}, seeds, {0, 1, 0});
  EXPECT_EQ(out.cannot_be_judged, "");
  EXPECT_THAT(out.all.scores, ElementsAre(ElementsAre(1, 1, 0), ElementsAre(0, 1, 0)));
  EXPECT_THAT(out.trained_only.scores, ElementsAre(ElementsAre(1, 1, 0)));
  EXPECT_THAT(out.substituted, ElementsAre("seed 12"));
}

TEST(IntentionToTreat, OtherGapsLeaveTheResultUnjudged) {
  const SeedScores trained = {"seed 11", SeedOutcome::kTrained, {1}, ""};
  const SeedScores lost = {"seed 12", SeedOutcome::kMissing, {}, "worker lost"};
  const SeedScores aborted = {"seed 13", SeedOutcome::kAbortedByRule, {}, ""};
  EXPECT_THAT(ApplyIntentionToTreat({0}, {trained, lost}, {1}).cannot_be_judged,
              HasSubstr("seed 12 has no result and no rule aborted it: worker lost"));
  EXPECT_THAT(ApplyIntentionToTreat({0}, {trained, aborted}, {}).cannot_be_judged,
              HasSubstr("base model's answers"));
  EXPECT_THAT(ApplyIntentionToTreat({0}, {}, {1}).cannot_be_judged, HasSubstr("no seed"));
}

}  // namespace
}  // namespace scm::statistics
