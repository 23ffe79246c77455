#include "report/decision.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/report/example.h"

namespace scm::report {
namespace {

using statistics::Gate;
using statistics::GateResult;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Findings Decided(const ExampleOptions& options, bool evaluate = true) {
  const Json evaluation = ExampleEvaluation(options);
  absl::StatusOr<Findings> findings =
      ComputeFindings(ExampleData(options), evaluate ? &evaluation : nullptr);
  EXPECT_TRUE(findings.ok()) << findings.status();
  return *std::move(findings);
}

const Gate& GateOf(const Findings& findings, const std::string& name) {
  for (const Gate& gate : findings.gates) {
    if (gate.name == name) return gate;
  }
  ADD_FAILURE() << "no gate " << name;
  return findings.gates.at(0);
}

TEST(DecisionTest, GoWhenEveryGateIsMet) {
  const Findings findings = Decided({});
  EXPECT_EQ(findings.decision, "go") << findings.reason;
  EXPECT_EQ(findings.gates.size(), 4u);
  for (const Gate& gate : findings.gates) EXPECT_EQ(gate.result, GateResult::kMet) << gate.name;
  EXPECT_THAT(findings.headline, HasSubstr("Accuracy on legal_reasoning is 0."));
  EXPECT_THAT(findings.headline, HasSubstr("95 % interval"));
  EXPECT_THAT(findings.headline,
              HasSubstr("over 5 of 5 seeds; chance is 0.25; the gate asks that the lower bound "
                        "exceed 0.60. Against base-1b it gains"));
  EXPECT_THAT(findings.headline, HasSubstr("points (95 % interval +"));
  EXPECT_THAT(findings.advice, IsEmpty());
}

TEST(DecisionTest, ABoundBelowTheGateIsNoGoAndSaysWhatWouldChangeIt) {
  ExampleOptions options;
  options.seed_accuracy = 0.55;  // the value is above the gate, its bound is not
  const Findings findings = Decided(options);
  EXPECT_EQ(findings.decision, "no_go");
  const Gate& gate = GateOf(findings, "accuracy");
  EXPECT_GT(gate.found, gate.asked);
  EXPECT_LE(gate.low, gate.asked);
  EXPECT_EQ(gate.result, GateResult::kNotMet);
  EXPECT_EQ(findings.reason, "accuracy is not met");
  ASSERT_EQ(findings.advice.size(), 1u);
  EXPECT_THAT(findings.advice[0], HasSubstr("accuracy: "));
  EXPECT_THAT(findings.advice[0], HasSubstr("more test items"));
  EXPECT_THAT(findings.advice[0], HasSubstr("points"));
}

TEST(DecisionTest, FourOfFiveIsJudgedByIntentionToTreat) {
  ExampleOptions options;
  options.aborted_seed = 13;
  options.seed_accuracy = 0.8;
  const Findings findings = Decided(options);
  EXPECT_THAT(findings.headline, HasSubstr("over 4 of 5 seeds"));
  EXPECT_NE(GateOf(findings, "accuracy").result, GateResult::kCannotBeJudged);
  EXPECT_THAT(findings.limits, Contains(HasSubstr("seed 13 (r-13) was aborted by a rule")));
}

TEST(DecisionTest, AFailedSeedLeavesEveryBoundUnjudged) {
  ExampleOptions options;
  options.failed_seed = 14;
  const Findings findings = Decided(options);
  EXPECT_EQ(findings.decision, "no_go");
  for (const char* name : {"accuracy", "loss_reduction", "p_value"}) {
    EXPECT_EQ(GateOf(findings, name).result, GateResult::kCannotBeJudged) << name;
    EXPECT_THAT(GateOf(findings, name).sentence, HasSubstr("seed 14")) << name;
  }
  EXPECT_THAT(findings.limits, Contains(HasSubstr("seed 14 (r-14) has no result (FAILED")));
}

TEST(DecisionTest, ASmallTestSetIsSaidAndNotJudged) {
  ExampleOptions options;
  options.clusters = 8;
  const Findings findings = Decided(options);
  EXPECT_EQ(findings.decision, "no_go");
  EXPECT_EQ(GateOf(findings, "accuracy").result, GateResult::kCannotBeJudged);
  EXPECT_THAT(findings.headline, HasSubstr("cannot be judged: the items come from 8 clusters"));
  EXPECT_THAT(findings.headline, Not(HasSubstr("95 % interval")));
  EXPECT_THAT(findings.advice, Contains(HasSubstr("at least 10")));
}

TEST(DecisionTest, APrimaryBaselineWithoutAnswersCannotBeJudged) {
  ExampleOptions options;
  Json data = ExampleData(options);
  data["experiment"]["spec"]["evaluation"]["primary"]["baseline"] = "gpt-3.5";
  options.missing_baseline = "gpt-3.5";
  const Json evaluation = ExampleEvaluation(options);
  const auto findings = ComputeFindings(data, &evaluation);
  ASSERT_TRUE(findings.ok()) << findings.status();
  EXPECT_EQ(findings->decision, "no_go");
  EXPECT_EQ(GateOf(*findings, "p_value").result, GateResult::kCannotBeJudged);
  EXPECT_THAT(findings->headline, HasSubstr("Against gpt-3.5 nothing can be said: gpt35.jsonl"));
  EXPECT_THAT(findings->limits, Contains(HasSubstr("primary baseline gpt-3.5 is missing")));
}

TEST(DecisionTest, TooFewLatenciesCannotBeJudged) {
  ExampleOptions options;
  options.latency_samples = 129;
  EXPECT_EQ(GateOf(Decided(options), "latency_ms_p95").result, GateResult::kCannotBeJudged);
  options.latency_samples = 130;
  EXPECT_EQ(GateOf(Decided(options), "latency_ms_p95").result, GateResult::kMet);
}

TEST(DecisionTest, WhatWasSeenOfASeedAndStoppedNothingIsALimit) {
  Json data = ExampleData({});
  for (Json& run : data["runs"]) {
    if (run["id"] == "r-12") run["warnings"] = {"loss spike: the validation loss is 9"};
    if (run["id"] == "r-7") run["warnings"] = {"of a sweep's trial"};
  }
  const Json evaluation = ExampleEvaluation({});
  const auto findings = ComputeFindings(data, &evaluation);
  ASSERT_TRUE(findings.ok()) << findings.status();
  EXPECT_THAT(findings->limits, Contains("seed 12 (r-12): loss spike: the validation loss is 9."));
  EXPECT_THAT(findings->limits, Not(Contains(HasSubstr("sweep's trial"))));
}

TEST(DecisionTest, ALossIsALoss) {
  ExampleOptions options;
  options.seed_accuracy = 0.3;
  const Findings findings = Decided(options);
  EXPECT_THAT(findings.headline, HasSubstr("it loses "));
  EXPECT_EQ(GateOf(findings, "p_value").result, GateResult::kNotMet);
}

TEST(DecisionTest, WithoutGatesThereIsNothingToDecide) {
  ExampleOptions options;
  options.gates = false;
  const Findings findings = Decided(options);
  EXPECT_EQ(findings.decision, "");
  EXPECT_THAT(findings.reason, HasSubstr("no gates"));
  EXPECT_THAT(findings.headline, HasSubstr("Accuracy on legal_reasoning"));
}

TEST(DecisionTest, WithoutEvaluationNothingIsDecidedUnlessNoSeedSurvived) {
  EXPECT_EQ(Decided({}, false).decision, "");
  EXPECT_THAT(Decided({}, false).headline, HasSubstr("5 of 5 seeds"));
  ExampleOptions alone;
  alone.seeds = {11};
  alone.aborted_seed = 11;
  EXPECT_EQ(Decided(alone, false).decision, "no_go");
  // A report in between: a seed that still runs is no failure.
  Json data = ExampleData(alone);
  for (Json& run : data["runs"]) {
    if (run["id"] == "r-11") run["state"] = "RUNNING";
  }
  EXPECT_EQ(ComputeFindings(data, nullptr)->decision, "");
}

TEST(DecisionTest, ABoundNearTheGateIsWrittenWithEnoughDigits) {
  Findings findings;
  findings.evaluated = true;
  findings.data = ExampleData({});
  findings.data["experiment"]["spec"]["evaluation"]["gates"] = {{"accuracy", 0.6}};
  TaskResult task;
  task.task = "reading";
  task.primary = true;
  task.score.estimate.value = 0.65;
  task.score.estimate.low = 0.5981;
  task.score.estimate.high = 0.7;
  findings.tasks.push_back(task);
  Decide(findings);
  EXPECT_THAT(findings.headline, HasSubstr("0.598–0.700"));
  EXPECT_THAT(findings.headline, HasSubstr("exceed 0.600"));
}

TEST(DecisionTest, AnIntervalBelowZeroIsNotWrittenWithTwoDashes) {
  statistics::Estimate estimate;
  estimate.value = -9.75;
  estimate.low = -10.445;
  estimate.high = -9.055;
  EXPECT_EQ(EstimateText(estimate, 3), "-9.750, 95 % interval -10.445 to -9.055");
  estimate.low = 0.1;
  estimate.high = 0.2;
  EXPECT_EQ(EstimateText(estimate, 2), "-9.75, 95 % interval 0.10–0.20");
}

}  // namespace
}  // namespace scm::report
