#include "report/findings.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "report/judge_task.h"
#include "tests/report/example.h"

namespace scm::report {
namespace {

using ::testing::HasSubstr;

Findings FindingsOf(const ExampleOptions& options) {
  const Json evaluation = ExampleEvaluation(options);
  absl::StatusOr<Findings> findings = ComputeFindings(ExampleData(options), &evaluation);
  EXPECT_TRUE(findings.ok()) << findings.status();
  return *std::move(findings);
}

const TaskResult& Task(const Findings& findings, const std::string& name) {
  for (const TaskResult& task : findings.tasks) {
    if (task.task == name) return task;
  }
  ADD_FAILURE() << "no task " << name;
  return findings.tasks.at(0);
}

double MeanCorrect(const Json& evaluation, const std::string& model, const std::string& task) {
  double sum = 0;
  const Json& correct = evaluation["scores"][model][task]["correct"];
  for (const Json& one : correct) sum += one.get<double>();
  return sum / static_cast<double>(correct.size());
}

TEST(FindingsTest, ScoresAreTheMeansOverSeedsAndTheirDifferencesToTheBase) {
  const ExampleOptions options;
  const Json evaluation = ExampleEvaluation(options);
  const Findings findings = FindingsOf(options);
  const TaskResult& task = Task(findings, "legal_reasoning");
  double mean = 0;
  for (const int seed : options.seeds) {
    mean += MeanCorrect(evaluation, "seed " + std::to_string(seed), "legal_reasoning") / 5;
  }
  const double base = MeanCorrect(evaluation, "base-1b", "legal_reasoning");
  EXPECT_NEAR(task.score.estimate.value, mean, 1e-12);
  EXPECT_EQ(task.score.estimate.items, 160);
  EXPECT_EQ(task.score.estimate.clusters, 40);
  EXPECT_EQ(task.score.estimate.seeds, 5);
  ASSERT_EQ(task.comparisons.size(), 1u);
  const TaskComparison& one = task.comparisons[0];
  EXPECT_TRUE(one.primary);
  EXPECT_NEAR(one.difference.estimate.value, mean - base, 1e-12);
  EXPECT_NEAR(one.share.value, mean / base, 1e-12);
  EXPECT_TRUE(std::isnan(one.holm_p));
  EXPECT_EQ(one.mcnemar.size(), 5u);
  EXPECT_EQ(task.seed_scores.size(), 5u);
  EXPECT_NEAR(task.score.bootstrap.low, task.score.estimate.low, task.score.estimate.width() / 5);
  EXPECT_EQ(Task(findings, "jurisdiction_classification").comparisons[0].holm_p,
            Task(findings, "jurisdiction_classification").comparisons[0].p_value);
}

TEST(FindingsTest, AnAbortedSeedCountsAsTheBaseAndIsShownWithoutAsWell) {
  ExampleOptions options;
  options.aborted_seed = 13;
  const Json evaluation = ExampleEvaluation(options);
  const Findings findings = FindingsOf(options);
  EXPECT_EQ(findings.TrainedSeeds(), 4);
  EXPECT_EQ(findings.AbortedSeeds(), std::vector<std::string>{"seed 13"});
  const TaskResult& task = Task(findings, "legal_reasoning");
  const double base = MeanCorrect(evaluation, "base-1b", "legal_reasoning");
  double trained = 0;
  for (const int seed : {11, 12, 14, 15}) {
    trained += MeanCorrect(evaluation, "seed " + std::to_string(seed), "legal_reasoning") / 4;
  }
  EXPECT_NEAR(task.score.estimate.value, (4 * trained + base) / 5, 1e-12);
  EXPECT_TRUE(task.score.estimate.judged());
  ASSERT_TRUE(task.score.trained_only.has_value());
  EXPECT_NEAR(task.score.trained_only->value, trained, 1e-12);
  EXPECT_EQ(task.score.trained_only->seeds, 4);
  EXPECT_EQ(task.seed_scores[2].first, "seed 13 (as base)");
  EXPECT_NEAR(task.seed_scores[2].second, base, 1e-12);
  // Everywhere alike: F1, differences and the loss as well.
  ASSERT_TRUE(task.f1.trained_only.has_value());
  EXPECT_LT(task.f1.estimate.value, task.f1.trained_only->value);
  ASSERT_TRUE(task.comparisons[0].difference.trained_only.has_value());
  EXPECT_NEAR(task.comparisons[0].difference.estimate.value,
              0.8 * task.comparisons[0].difference.trained_only->value, 1e-12);
  EXPECT_EQ(task.comparisons[0].mcnemar.size(), 4u);
  ASSERT_TRUE(findings.loss.reduction.trained_only.has_value());
  EXPECT_NEAR(findings.loss.reduction.estimate.value,
              0.8 * findings.loss.reduction.trained_only->value, 1e-12);
}

TEST(FindingsTest, AnAbortedRunIsNoTrainedSeedEvenIfItWasEvaluated) {
  ExampleOptions options;
  Json data = ExampleData(options);
  const Json evaluation = ExampleEvaluation(options);  // of all five seeds
  for (Json& run : data["runs"]) {
    if (run["id"] == "r-13") run["state"] = "ABORTED";
  }
  const auto findings = ComputeFindings(data, &evaluation);
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->AbortedSeeds(), std::vector<std::string>{"seed 13"});
  EXPECT_NEAR(findings->tasks[0].seed_scores[2].second,
              MeanCorrect(evaluation, "base-1b", "legal_reasoning"), 1e-12);
}

TEST(FindingsTest, AFailedSeedLeavesTheResultUnjudged) {
  ExampleOptions options;
  options.failed_seed = 12;
  const Findings findings = FindingsOf(options);
  const TaskResult& task = Task(findings, "legal_reasoning");
  EXPECT_THAT(task.score.estimate.cannot_be_judged, HasSubstr("seed 12"));
  EXPECT_THAT(task.f1.estimate.cannot_be_judged, HasSubstr("seed 12"));
  EXPECT_TRUE(std::isnan(task.comparisons[0].p_value));
  EXPECT_THAT(findings.loss.missing, HasSubstr("seed 12"));
  EXPECT_EQ(task.seed_scores.size(), 4u);
}

TEST(FindingsTest, TheFallbacksSeedsReplaceTheFirstOnes) {
  ExampleOptions options;
  Json data = ExampleData(options);
  Json evaluation = ExampleEvaluation(options);
  Json again = Json::array();
  for (Json run : data["runs"]) {
    if (run["stage"] != "replicate") continue;
    run["id"] = "f-" + std::to_string(run["seed"].get<int>());
    run["fallback"] = true;
    again.push_back(run);
  }
  for (const Json& run : again) data["runs"].push_back(run);
  for (Json& model : evaluation["models"]) {
    if (model["kind"] == "seed") model["run"] = "f-" + std::to_string(model["seed"].get<int>());
  }
  const auto findings = ComputeFindings(data, &evaluation);
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->seeds.size(), 5u);
  EXPECT_EQ(findings->seeds[0].run, "f-11");
  EXPECT_EQ(findings->TrainedSeeds(), 5);
  EXPECT_EQ(findings->loss_curves.size(), 5u);
  EXPECT_TRUE(findings->tasks[0].score.estimate.judged());
}

TEST(FindingsTest, OfSeveralCandidateModelsTheLastOneCounts) {
  ExampleOptions options;
  Json data = ExampleData(options);
  const Json first = data["runs"];
  for (const int model : {1, 2}) {
    for (Json run : first) {
      if (run["stage"] != "replicate") continue;
      run["id"] = "m" + std::to_string(model) + "-" + std::to_string(run["seed"].get<int>());
      run["fallback"] = true;
      run["model_index"] = model;
      data["runs"].push_back(run);
    }
  }
  const auto findings = ComputeFindings(data, nullptr);
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->seeds.size(), 5u);
  for (const Seed& seed : findings->seeds) EXPECT_EQ(seed.run.substr(0, 3), "m2-");
}

// Counted here by hand, from the texts: the choices are shuffled, so places are not classes.
TEST(FindingsTest, ClassesAreAnswersByNameWhereTheyComeFromAClosedList) {
  ExampleOptions options;
  options.seeds = {11};
  const Json evaluation = ExampleEvaluation(options);
  const Findings findings = FindingsOf(options);
  const Json& task = evaluation["tasks"][1];
  const Json& predicted =
      evaluation["scores"]["seed 11"]["jurisdiction_classification"]["predicted"];
  double f1 = 0, most = 0;
  for (const char* name : {"Argentina", "Chile", "España", "Uruguay"}) {
    double tp = 0, fp = 0, fn = 0;
    for (size_t i = 0; i < task["items"].size(); ++i) {
      const Json& texts = task["items"][i]["texts"];
      const bool gold = texts[task["items"][i]["gold"].get<size_t>()] == name;
      const bool said = texts[predicted[i].get<size_t>()] == name;
      tp += gold && said;
      fp += !gold && said;
      fn += gold && !said;
    }
    f1 += 2 * tp / (2 * tp + fp + fn) / 4;
    most = std::max(most, (tp + fn) / static_cast<double>(task["items"].size()));
  }
  const TaskResult& result = Task(findings, "jurisdiction_classification");
  EXPECT_EQ(result.f1_classes, "4 answers");
  EXPECT_NEAR(result.f1.estimate.value, f1, 1e-12);
  EXPECT_NEAR(result.chance, std::max(0.25, most), 1e-12);
  EXPECT_EQ(Task(findings, "legal_reasoning").f1_classes, "places of the choices");
}

TEST(FindingsTest, BaseLossCountsAtMostLnKAnAnswer) {
  ExampleOptions options;
  options.base_loss = 12;  // an untrained format
  const Findings far = FindingsOf(options);
  // Capped at ln 4 everywhere: 1 − (mean seed loss an answer) / ln 4.
  const Json evaluation = ExampleEvaluation(options);
  double seeds = 0, answers = 0;
  for (const Json& document : evaluation["loss"]["base-1b"]["documents"]) {
    answers += document["answers"].get<double>();
  }
  for (const int seed : options.seeds) {
    for (const Json& document : evaluation["loss"]["seed " + std::to_string(seed)]["documents"]) {
      seeds += document["loss_sum"].get<double>() / 5;
    }
  }
  EXPECT_NEAR(far.loss.reduction.estimate.value, 1 - seeds / answers / std::log(4.0), 1e-12);
  EXPECT_FALSE(far.loss.reduction.disagrees);
  EXPECT_GT(far.loss.reduction.bootstrap.low, far.loss.reduction.estimate.low - 0.05);
}

TEST(FindingsTest, HolmCoversAllComparisonsButThePrimary) {
  std::vector<TaskResult> tasks(2);
  const double p[] = {0.04, 0.01, 0.04, 0.03};
  for (int i = 0; i < 4; ++i) {
    TaskComparison one;
    one.p_value = p[i];
    one.primary = i == 0;
    tasks[i / 2].comparisons.push_back(one);
  }
  TaskComparison untested;  // cannot be judged: no p-value, and no part of the correction
  tasks[1].comparisons.push_back(untested);
  AdjustByHolm(tasks);
  EXPECT_TRUE(std::isnan(tasks[0].comparisons[0].holm_p));
  EXPECT_DOUBLE_EQ(tasks[0].comparisons[1].holm_p, 0.03);
  EXPECT_DOUBLE_EQ(tasks[1].comparisons[0].holm_p, 0.06);
  EXPECT_DOUBLE_EQ(tasks[1].comparisons[1].holm_p, 0.06);
  EXPECT_TRUE(std::isnan(tasks[1].comparisons[2].holm_p));
}

Json LikelihoodsOf(const Json& predicted, double at_item_3) {
  Json rows = Json::array();
  for (size_t i = 0; i < predicted.size(); ++i) {
    Json row = {-1.5, -2.5, -3.5, -4.5};
    if (i == 3) row[2] = JsonNumber(at_item_3);
    rows.push_back(row);
  }
  return rows;
}

// Another evaluator may have ranked them all the same.
TEST(FindingsTest, AModelWithLogLikelihoodsThatAreNoNumbersIsMissing) {
  const ExampleOptions options;
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Json evaluation = ExampleEvaluation(options);
    Json& base = evaluation["scores"]["base-1b"]["legal_reasoning"];
    base["log_likelihood"] = LikelihoodsOf(base["predicted"], value);
    const auto findings = ComputeFindings(ExampleData(options), &evaluation);
    ASSERT_TRUE(findings.ok()) << findings.status();
    const TaskComparison& one = Task(*findings, "legal_reasoning").comparisons.at(0);
    EXPECT_EQ(one.missing,
              "1 of 640 log-likelihoods, in 1 of 160 items, are no finite numbers (first in "
              "legal_reasoning), so none of its answers is ranked");
    EXPECT_TRUE(std::isnan(one.p_value));
    EXPECT_EQ(Task(*findings, "jurisdiction_classification").comparisons.at(0).missing,
              one.missing);
    EXPECT_THAT(findings->loss.missing, HasSubstr("of the base model, 1 of 640"));
    EXPECT_THAT(findings->headline, HasSubstr("Against base-1b nothing can be said: 1 of 640"));
    EXPECT_EQ(findings->decision, "no_go");
  }
  Json sound = ExampleEvaluation(options);
  Json& base = sound["scores"]["base-1b"]["legal_reasoning"];
  base["log_likelihood"] = LikelihoodsOf(base["predicted"], -9);
  EXPECT_EQ(ComputeFindings(ExampleData(options), &sound)->tasks[0].comparisons[0].missing, "");
}

// Four of five seeds would be another result: the fifth was trained, and what it says is unknown.
TEST(FindingsTest, ASeedWithoutNumbersLeavesTheResultUnjudged) {
  const ExampleOptions options;
  Json evaluation = ExampleEvaluation(options);
  Json& seed = evaluation["scores"]["seed 13"]["legal_reasoning"];
  seed["log_likelihood"] = LikelihoodsOf(seed["predicted"], std::nan(""));
  const auto findings = ComputeFindings(ExampleData(options), &evaluation);
  ASSERT_TRUE(findings.ok()) << findings.status();
  const TaskResult& task = Task(*findings, "legal_reasoning");
  EXPECT_THAT(task.score.estimate.cannot_be_judged,
              HasSubstr("seed 13 has no result and no rule aborted it: it was trained, but its "
                        "evaluation has no result: 1 of 640"));
  EXPECT_THAT(task.f1.estimate.cannot_be_judged, HasSubstr("seed 13"));
  EXPECT_TRUE(std::isnan(task.comparisons[0].p_value));
  EXPECT_THAT(findings->loss.missing, HasSubstr("seed 13"));
  EXPECT_EQ(findings->seeds[2].outcome, statistics::SeedOutcome::kMissing);
  EXPECT_EQ(findings->decision, "no_go");
}

TEST(FindingsTest, SamplesThatAreNoDurationsAreNotLeftOutInSilence) {
  const ExampleOptions options;
  Json evaluation = ExampleEvaluation(options);
  evaluation["latency"]["seed 11"]["samples"][7] = "NaN";
  evaluation["latency"]["seed 11"]["samples"][8] = -3;
  const auto findings = ComputeFindings(ExampleData(options), &evaluation);
  ASSERT_TRUE(findings.ok()) << findings.status();
  for (const Latency& one : findings->latency) {
    if (!one.of_seed) continue;
    EXPECT_TRUE(std::isnan(one.p95.found));
    EXPECT_FALSE(one.p95.bound.has_value());
    EXPECT_THAT(one.what, HasSubstr("2 of 150 samples are no durations, so none is used"));
  }
  EXPECT_EQ(findings->decision, "no_go");
}

// The curve falls from far above guessing, and what counts is what was gained below it.
TEST(FindingsTest, BothReadingsOfTheLossReductionAreThere) {
  ExampleOptions options;
  options.base_loss = 5.58;
  options.seed_loss = 0.9;
  const Findings findings = FindingsOf(options);
  const double raw = findings.loss.before_training.value;
  const double counted = findings.loss.reduction.estimate.value;
  EXPECT_NEAR(raw, 1 - 0.9 / 5.58, 0.02);
  EXPECT_NEAR(counted, 1 - 0.9 * 1.075 / std::log(4.0), 0.02);
  for (const statistics::Gate& gate : findings.gates) {
    if (gate.name != "loss_reduction") continue;
    EXPECT_EQ(gate.found, counted);
    EXPECT_THAT(gate.sentence, HasSubstr("counted from what guessing among the choices loses"));
    EXPECT_THAT(gate.sentence, HasSubstr("Relative to the loss before training it is 0.8"));
  }
}

TEST(FindingsTest, ABaselineWithTheSameAnswersIsIdenticalWithoutAPValue) {
  ExampleOptions options;
  options.seeds = {11};
  Json evaluation = ExampleEvaluation(options);
  evaluation["scores"]["seed 11"] = evaluation["scores"]["base-1b"];
  const auto findings = ComputeFindings(ExampleData(options), &evaluation);
  ASSERT_TRUE(findings.ok()) << findings.status();
  const TaskComparison& one = Task(*findings, "legal_reasoning").comparisons.at(0);
  EXPECT_THAT(one.difference.estimate.cannot_be_judged, HasSubstr("identical"));
  EXPECT_TRUE(std::isnan(one.p_value));
  EXPECT_FALSE(one.share.judged());
}

TEST(FindingsTest, BadInputIsNamed) {
  const ExampleOptions options;
  Json data = ExampleData(options), evaluation = ExampleEvaluation(options);
  EXPECT_THAT(ComputeFindings(Json{{"version", 2}}, nullptr).status().message(),
              HasSubstr("version 1"));
  Json other = evaluation;
  other["version"] = 7;
  EXPECT_THAT(ComputeFindings(data, &other).status().message(), HasSubstr("version"));
  other = evaluation;
  other["scores"]["seed 11"]["legal_reasoning"]["correct"].erase(0);
  EXPECT_THAT(ComputeFindings(data, &other).status().message(),
              HasSubstr("scores.seed 11.legal_reasoning"));
  other = evaluation;
  other["scores"]["seed 11"]["legal_reasoning"]["correct"][3] = "yes";
  EXPECT_THAT(ComputeFindings(data, &other).status().message(), HasSubstr("correct[3]"));
  other = evaluation;
  other["tasks"][0]["items"][5]["gold"] = 9;
  EXPECT_THAT(ComputeFindings(data, &other).status().message(), HasSubstr("legal_reasoning-5"));
  other = evaluation;
  other["loss"]["seed 12"]["documents"].erase(0);
  const auto lacking = ComputeFindings(data, &other);
  ASSERT_TRUE(lacking.ok());
  EXPECT_THAT(lacking->loss.missing, HasSubstr("lacks document d-0"));
}

}  // namespace
}  // namespace scm::report
