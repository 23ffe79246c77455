// The sentences of the first page, each in the cases in which it must stay true.
#include "report/headline.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "report/decision.h"
#include "report/limits.h"
#include "report/trained.h"
#include "tests/report/example.h"

namespace scm::report {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

TaskComparison Compared(double value, double low, double high, double p) {
  TaskComparison one;
  one.baseline = "base";
  one.primary = true;
  one.difference.estimate.value = value;
  one.difference.estimate.low = low;
  one.difference.estimate.high = high;
  one.p_value = p;
  return one;
}

TEST(ComparisonTextTest, SaysNoMoreThanWasShown) {
  const double none = std::nan("");
  struct Case {
    const char* what;
    TaskComparison comparison;
    std::string text;
  };
  TaskComparison missing = Compared(none, none, none, none);
  missing.missing = "no file";
  TaskComparison unjudged = Compared(0.31, none, none, none);
  unjudged.difference.estimate.cannot_be_judged = "8 clusters are too few";
  TaskComparison corrected = Compared(0.053, 0.001, 0.105, 0.02);
  corrected.primary = false;
  corrected.holm_p = 0.08;
  const Case cases[] = {
      {"a gain", Compared(0.364, 0.153, 0.575, 0.003),
       "Against base it gains 36.4 points (95 % interval +15.3 to +57.5, p = 0.003)"},
      {"a loss", Compared(-0.325, -0.41, -0.24, 0.0002),
       "Against base it loses 32.5 points (95 % interval -41.0 to -24.0, p < .001)"},
      {"a value above 0 that shows nothing", Compared(0.053, -0.141, 0.247, 0.592),
       "Against base no difference was shown (+5.3 points, 95 % interval -14.1 to +24.7, p = "
       "0.592)"},
      {"no difference at all", Compared(0, 0, 0, 1),
       "Against base no difference was shown (+0.0 points, 95 % interval +0.0 to +0.0, p = 1.000)"},
      {"an interval without 0 and a p that says otherwise", Compared(0.05, 0.001, 0.1, 0.06),
       "Against base no difference was shown (+5.0 points, 95 % interval +0.1 to +10.0, p = "
       "0.060)"},
      {"one of many, corrected", corrected,
       "Against base no difference was shown (+5.3 points, 95 % interval +0.1 to +10.5, p = "
       "0.080)"},
      {"too little data", unjudged,
       "Against base the difference of +31.0 points cannot be judged: 8 clusters are too few"},
      {"no p-value", Compared(0.1, 0.05, 0.15, none),
       "Against base the difference of +10.0 points cannot be judged: its p-value does not exist"},
      {"no baseline", missing, "Against base nothing can be said: no file"},
  };
  for (const Case& one : cases) EXPECT_EQ(ComparisonText(one.comparison), one.text) << one.what;
}

// Findings of one task with a primary comparison, by hand.
Findings Hand(double value, double low, double high, double chance, const char* against) {
  Findings findings;
  findings.evaluated = true;
  findings.seeds.resize(5);
  for (size_t i = 0; i < 5; ++i) {
    findings.seeds[i].name = "seed " + std::to_string(11 + i);
    findings.seeds[i].outcome = statistics::SeedOutcome::kTrained;
    findings.seeds[i].state = "SUCCEEDED";
  }
  TaskResult task;
  task.task = "reading";
  task.primary = true;
  task.score.estimate.value = value;
  task.score.estimate.low = low;
  task.score.estimate.high = high;
  task.chance = chance;
  task.against_chance = against;
  task.comparisons.push_back(Compared(0.05, -0.02, 0.12, 0.2));
  task.comparisons[0].baseline_score.value = value - 0.05;
  findings.tasks.push_back(task);
  return findings;
}

TEST(HeadlineTest, ChanceStandsBesideTheScore) {
  struct Case {
    Findings findings;
    std::string text;
  };
  const Case cases[] = {
      {Hand(0.6, 0.5, 0.7, 0.25, "above chance"), "over 5 of 5 seeds; chance is 0.25. Against"},
      {Hand(0.3, 0.2, 0.4, 0.25, "not separable from chance"),
       "; chance is 0.25, from which it cannot be told apart. Against"},
      {Hand(0.1, 0.05, 0.15, 0.25, "below chance"), "; chance is 0.25, which is more. Against"},
      {Hand(0.6, 0.5, 0.7, std::nan(""), ""), "over 5 of 5 seeds. Against"},
      {Hand(0.27, 0.2, 0.35, 0.25, ""), "; base itself scores 0.22, below chance."},
  };
  for (const Case& one : cases) EXPECT_THAT(Headline(one.findings), HasSubstr(one.text));
  EXPECT_THAT(Headline(cases[0].findings), Not(HasSubstr("itself")));
}

TEST(HeadlineTest, ASignificantLossElsewhereIsPutInWords) {
  Findings findings = Hand(0.6, 0.5, 0.7, 0.25, "above chance");
  TaskResult other = findings.tasks[0];
  other.task = "writing";
  other.primary = false;
  for (TaskComparison& one : other.comparisons) one.primary = false;
  other.comparisons[0].difference.estimate = Compared(-0.325, -0.41, -0.24, 0).difference.estimate;
  other.comparisons[0].holm_p = 0.002;
  findings.tasks.push_back(other);
  const std::string sentence =
      "On writing it loses 32.5 points against base (95 % interval -41.0 to -24.0, p = 0.002 after "
      "Holm's correction)";
  EXPECT_THAT(Headline(findings), HasSubstr(" " + sentence + "."));
  EXPECT_THAT(OtherDifferences(findings), ElementsAre(sentence + "."));
  // Not significant: no loss, and said so.
  findings.tasks[1].comparisons[0].holm_p = 0.3;
  EXPECT_THAT(Headline(findings), Not(HasSubstr("writing")));
  EXPECT_THAT(OtherDifferences(findings),
              ElementsAre("No difference was shown on writing against base (after Holm's "
                          "correction)."));
}

TEST(HeadlineTest, ALossOfTrainedModelsIsFoundInTheNumbers) {
  ExampleOptions options;
  options.other_gain = -0.3;
  const Json evaluation = ExampleEvaluation(options);
  const auto findings = ComputeFindings(ExampleData(options), &evaluation);
  ASSERT_TRUE(findings.ok()) << findings.status();
  EXPECT_EQ(findings->decision, "go");  // no gate asks about that task
  EXPECT_THAT(findings->headline, HasSubstr("On jurisdiction_classification it loses "));
}

TEST(HeadlineTest, WhyNothingWasEvaluated) {
  struct Case {
    std::vector<std::string> states;
    Json stages;
    std::string text;
  };
  const Json failed = {{{"name", "evaluate"}, {"state", "FAILED"}, {"reason", "no worker."}}};
  const Json open = {{{"name", "evaluate"}, {"state", "PENDING"}}};
  const Case cases[] = {
      {{},
       Json::array(),
       "No seeds were trained. Nothing was evaluated: this experiment has no "
       "stage evaluate."},
      {{"SUCCEEDED"},
       Json::array(),
       "1 of 1 seed finished. Nothing was evaluated: this experiment has no stage evaluate; there "
       "is nothing to decide."},
      {{"SUCCEEDED", "FAILED"},
       failed,
       "1 of 2 seeds finished. Nothing was evaluated: the stage evaluate is FAILED: no worker; "
       "there is nothing to decide."},
      {{"RUNNING", "SUCCEEDED"},
       open,
       "1 of 2 seeds finished, 1 not over yet. Nothing was evaluated: the evaluation is not over "
       "yet; there is nothing to decide."},
      {{"ABORTED"},
       open,
       "The only seed did not finish. Nothing was evaluated: the evaluation is not over yet."},
      {{"ABORTED", "FAILED"},
       failed,
       "None of 2 seeds finished. Nothing was evaluated: the stage evaluate is FAILED: no worker."},
  };
  for (const Case& one : cases) {
    Findings findings;
    findings.data = {{"stages", one.stages}};
    for (const std::string& state : one.states) {
      findings.seeds.emplace_back();
      findings.seeds.back().state = state;
    }
    EXPECT_EQ(HeadlineWithoutEvaluation(findings), one.text);
  }
}

TEST(HeadlineTest, SeedsThatWereAbortedAreNamedWhereTheyCount) {
  ExampleOptions options;
  options.aborted_seed = 13;
  const Json evaluation = ExampleEvaluation(options);
  const auto findings = ComputeFindings(ExampleData(options), &evaluation);
  EXPECT_THAT(findings->headline, HasSubstr("over 4 of 5 seeds (seed 13 was aborted and counts "
                                            "with the base's answers)"));
}

Findings Of(const ExampleOptions& options, const Json& data) {
  const Json evaluation = ExampleEvaluation(options);
  absl::StatusOr<Findings> findings = ComputeFindings(data, &evaluation);
  EXPECT_TRUE(findings.ok()) << findings.status();
  return *std::move(findings);
}

TEST(LimitsTest, LeaksComeFirstAndLongListsAreCut) {
  const ExampleOptions options;
  Json data = ExampleData(options);
  const auto warnings = [](const Findings& findings) {
    std::vector<std::string> found;
    for (const std::string& limit : findings.limits) {
      if (limit.find("warn") != std::string::npos) found.push_back(limit);
    }
    return found;
  };
  const auto few = warnings(Of(options, data));
  ASSERT_THAT(few, SizeIs(3));
  EXPECT_EQ(few[0],
            "A check before training warned: 66 of 91 test prompts share a run of 13 words with "
            "training text, first q-1.");
  // The same words from the submission are not said again.
  data["warnings"].push_back(data["data_check"]["findings"][1]["message"]);
  EXPECT_THAT(warnings(Of(options, data)), SizeIs(3));
  for (int i = 0; i < 20; ++i) data["warnings"].push_back("warning " + std::to_string(i));
  const auto many = warnings(Of(options, data));
  ASSERT_THAT(many, SizeIs(7));
  EXPECT_EQ(many.back(), "… and 17 more warnings of these checks, listed in the details.");
  data.erase("data_check");
  data.erase("warnings");
  EXPECT_THAT(warnings(Of(options, data)), IsEmpty());
}

TEST(LimitsTest, RepeatedItemsOfALatencyAreSaid) {
  ExampleOptions options;
  options.latency_samples = 130;
  options.latency_items = 72;
  EXPECT_THAT(Of(options, ExampleData(options)).limits,
              Contains("The 130 latencies of seed 11 come from 72 items that were asked again in "
                       "turn: their bound holds for these items, not for longer ones."));
  options.latency_items = 130;
  EXPECT_THAT(Of(options, ExampleData(options)).limits, Each(Not(HasSubstr("latencies"))));
}

TEST(LimitsTest, EachSeedIsDescribedByWhatBecameOfIt) {
  Findings findings = Hand(0.6, 0.5, 0.7, 0.25, "above chance");
  findings.seeds.resize(2);
  findings.seeds[0].outcome = statistics::SeedOutcome::kAbortedByRule;
  findings.seeds[1] = {"seed 12", "r-2", "RUNNING", "", statistics::SeedOutcome::kMissing, ""};
  const auto without_base = LimitsOf(findings);
  EXPECT_THAT(without_base, Contains(HasSubstr("no answers of the base model")));
  EXPECT_THAT(without_base, Contains(HasSubstr("seed 12 (r-2) has no result (RUNNING) and")));
  findings.tasks[0].score.trained_only = findings.tasks[0].score.estimate;
  EXPECT_THAT(LimitsOf(findings), Contains(HasSubstr("counts with the base model's answers")));
}

TEST(LimitsTest, NothingIsSaidAboutSeedsAndItemsThatAreNotThere) {
  Findings findings = Hand(std::nan(""), std::nan(""), std::nan(""), 0.25, "");
  findings.tasks[0].score.estimate.cannot_be_judged = "no seed was trained";
  findings.seeds.clear();
  EXPECT_THAT(LimitsOf(findings),
              Each(Not(AnyOf(HasSubstr("0 items"), HasSubstr("One seed"), HasSubstr("p-value")))));
  findings.tasks[0].score.estimate.items = findings.tasks[0].score.estimate.clusters = 12;
  EXPECT_THAT(LimitsOf(findings),
              Contains("The test set of reading has 12 items, each a cluster of its own."));
  findings.tasks[0].score.estimate.clusters = 6;
  findings.tasks[0].score.estimate.effective_clusters = 6;
  EXPECT_THAT(LimitsOf(findings),
              Contains("The test set of reading has 12 items in 6 clusters; items of a cluster are "
                       "alike, so it is the clusters that count."));
  findings.tasks[0].score.estimate.effective_clusters = 4.2;
  EXPECT_THAT(LimitsOf(findings), Contains(HasSubstr("in 6 clusters, worth 4.2 equal ones; ")));
}

TEST(TrainedTest, SaysWhatWasTrainedOnWhatAndHowFar) {
  const ExampleOptions options;
  EXPECT_THAT(
      TrainedSentences(Of(options, ExampleData(options))),
      ElementsAre(
          "Trained: LoRA adapters of rank 16 (alpha 32) on q_proj, v_proj of the model "
          "base-1b.gguf; 5 seeds "
          "of at most 2000 steps with 4 sequences, learning rate 0.0003, bf16.",
          "Data: trained on 340 items (80 documents), their answers only; validated on 40, 320 "
          "kept for the test.",
          "Sweep: of 3 trials t-3 was chosen (training.learning_rate 0.0003) for its "
          "validation_loss 0.62 at step 2000; every trial is in the details.",
          "Seeds: 5 of 5 finished; the validation loss of 5 fell by at least 5 % of the untouched "
          "base's (min_loss_reduction).",
          "Exported: seed 11 (r-11, step 1900), the one with the lowest validation loss, as the "
          "adapter (k-9/adapter, 3.1 MB) and the merged model (k-9/merged, 270.0 MB); scmctl "
          "report e-4 writes them beside this report."));
}

// What was merged is not what was trained, and the report says what that costs.
TEST(TrainedTest, SaysOverWhatAQuantizedBaseWasMerged) {
  const ExampleOptions options;
  Json data = ExampleData(options);
  data["experiment"]["spec"]["lora"]["quantize_base"] = "nf4";
  data["export"]["merged_into"] = {{"base", "/models/base-1b.gguf"},
                                   {"trained_over", "nf4"},
                                   {"validation_loss_trained", 0.61},
                                   {"validation_loss_merged", 0.6245}};
  const auto sentences = TrainedSentences(Of(options, data));
  EXPECT_THAT(sentences.front(), HasSubstr("of the model base-1b.gguf in nf4; 5 seeds"));
  EXPECT_THAT(
      sentences.back(),
      HasSubstr("The merged model holds the base as it is (/models/base-1b.gguf), not in "
                "nf4 as it was trained: validation loss 0.6245, over the nf4 base 0.6100."));
  data["export"]["merged_into"]["validation_loss_trained"] = nullptr;
  EXPECT_THAT(TrainedSentences(Of(options, data)).back(),
              HasSubstr("over the nf4 base not measured."));
}

TEST(TrainedTest, ClaimsNothingThatTheDataDoNotSay) {
  ExampleOptions options;
  Json data = ExampleData(options);
  for (const char* key : {"sweep", "data_check", "export", "artifacts"}) data.erase(key);
  data["experiment"]["spec"]["abort"]["no_convergence"] = nullptr;
  EXPECT_THAT(TrainedSentences(Of(options, data)),
              ElementsAre(StartsWith("Trained: "), "Seeds: 5 of 5 finished."));
  // A trainer of one's own: adapters and data are its own affair.
  options.built_in = false;
  data = ExampleData(options);
  const auto sentences = TrainedSentences(Of(options, data));
  EXPECT_THAT(sentences[0],
              AllOf(StartsWith("Trained by a program of its own, python3 train.py: 5 seeds of at "
                               "most 2000 steps; the experiment file names the model base-1b.gguf"),
                    Not(HasSubstr("LoRA"))));
  EXPECT_THAT(sentences[1], StartsWith("The corpus holds 340 training items"));
  // An export that failed, and a run whose loss does not fall.
  data["export"]["state"] = "FAILED";
  data["artifacts"] = Json::array();
  for (Json& run : data["runs"]) {
    for (Json& point : run["points"]) point["value"] = 1.0;
  }
  EXPECT_THAT(TrainedSentences(Of(options, data)),
              AllOf(Contains("Exported: nothing; k-9 is FAILED."),
                    Contains(HasSubstr("the validation loss of 0 fell by at least 5 %"))));
  // No seeds at all.
  options.seeds = {};
  EXPECT_THAT(TrainedSentences(Of(options, ExampleData(options))),
              ElementsAre(StartsWith("Sweep: of 3 trials t-3")));
}

TEST(TrainedTest, OnlyTrainedTasksCount) {
  const ExampleOptions options;
  Json data = ExampleData(options);
  data["experiment"]["spec"]["trainer"]["parameters"]["train_tasks"] = {"legal_reasoning"};
  data["data_check"]["summary"]["tasks"]["legal_reasoning"]["items"] = {
      {"train", 170}, {"validation", 20}, {"test", 160}};
  EXPECT_THAT(TrainedSentences(Of(options, data))[1],
              StartsWith("Data: trained on 170 items (80 documents), their answers only; validated "
                         "on 20, 320 kept"));
}

}  // namespace
}  // namespace scm::report
