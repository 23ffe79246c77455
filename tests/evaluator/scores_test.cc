// From log-likelihoods to answers, losses and evaluation.json.
#include "evaluator/scores.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "evaluator/evaluation_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::evaluator {
namespace {

using ::testing::ElementsAre;

struct PredictCase {
  const char* what;
  std::vector<ChoiceScore> choices;
  bool multi_label;
  std::vector<int64_t> expected;
};

TEST(Predict, FollowsTheDocumentedRules) {
  const PredictCase cases[] = {
      {"the largest sum", {{-3, 1}, {-2, 4}, {-5, 1}}, false, {1}},
      {"the sum, not the mean, for one label", {{-4, 8}, {-3, 1}}, false, {1}},
      {"the first of equals", {{-2, 1}, {-2, 1}}, false, {0}},
      {"shares above guessing", {{-1, 1}, {-1, 1}, {-9, 1}}, true, {0, 1}},
      {"shares by the mean a token", {{-8, 8}, {-1, 1}, {-9, 1}}, true, {0, 1}},
      {"one large share", {{-0.1, 1}, {-5, 1}, {-6, 1}}, true, {0}},
      {"nothing above guessing: the first", {{-2, 1}, {-2, 1}}, true, {0}},
  };
  for (const PredictCase& c : cases) {
    EXPECT_EQ(Predict(c.choices, c.multi_label), c.expected) << c.what;
  }
}

corpus::Item MakeItem(const std::string& id, const std::string& document, int choices,
                      std::vector<int64_t> gold, bool multi_label) {
  corpus::Item item;
  item.id = id;
  item.document = item.cluster_id = document;
  item.jurisdiction = "AR";
  item.choices.assign(static_cast<size_t>(choices), "c");
  item.gold = std::move(gold);
  item.multi_label = multi_label;
  return item;
}

struct Fixture {
  corpus::Item one = MakeItem("i-1", "d-1", 2, {1}, false),
               two = MakeItem("i-2", "d-2", 2, {0}, false);
  corpus::Item set = MakeItem("i-3", "d-1", 3, {0, 2}, true);
  std::vector<TestTask> tasks = {{"single", false, {&one, &two}}, {"multi", true, {&set}}};
  std::vector<trainer::LlamaModel::RowScore> rows = {{-3, 2, false}, {-1, 1, true},   // i-1: right
                                                     {-4, 2, false}, {-2, 1, false},  // i-2: wrong
                                                     {-1, 1, true},  {-9, 1, false},
                                                     {-1, 2, true}};  // i-3
};

TEST(MakeScores, CountsPerTaskAndDocument) {
  Fixture f;
  const ModelScores scores = MakeScores(f.tasks, f.rows);
  EXPECT_THAT(scores.tasks.at("single").correct, ElementsAre(true, false));
  EXPECT_THAT(scores.tasks.at("single").log_likelihood[1], ElementsAre(-4, -2));
  EXPECT_THAT(scores.tasks.at("multi").predicted[0], ElementsAre(0, 2));
  EXPECT_THAT(scores.tasks.at("multi").correct, ElementsAre(true));
  ASSERT_EQ(scores.documents.size(), 2u);
  EXPECT_EQ(scores.documents[0].document, "d-1");
  EXPECT_DOUBLE_EQ(scores.documents[0].loss_sum, 1 + 1 + 1);
  EXPECT_EQ(scores.documents[0].labels, 1 + 1 + 2);
  EXPECT_EQ(scores.documents[0].answers, 3);
  EXPECT_DOUBLE_EQ(scores.documents[1].loss_sum, 4);
}

// A comparison with NaN is false, so whichever choice stands first would be the answer.
TEST(WhyNotRanked, NamesWhatIsNoFiniteNumber) {
  Fixture f;
  EXPECT_EQ(WhyNotRanked(f.tasks, f.rows), "");
  const std::pair<double, const char*> bad[] = {
      {std::nan(""), "NaN"}, {INFINITY, "Infinity"}, {-INFINITY, "-Infinity"}};
  for (const auto& [value, word] : bad) {
    Fixture broken;
    broken.rows[3].log_likelihood = value;  // i-2, its second choice
    EXPECT_EQ(WhyNotRanked(broken.tasks, broken.rows),
              absl::StrCat("1 of 7 log-likelihoods, in 1 of 3 items, are no finite numbers (first: "
                           "item i-2 of single, choice 1: ",
                           word,
                           "), so none of its answers is ranked: look for NaN or infinite "
                           "weights, or for an overflow in this precision"));
  }
  f.rows[0].log_likelihood = f.rows[1].log_likelihood = f.rows[6].log_likelihood = std::nan("");
  EXPECT_THAT(WhyNotRanked(f.tasks, f.rows), ::testing::HasSubstr("3 of 7 log-likelihoods, in 2"));
}

TEST(MakeScores, LossIsThatOfTrainedTasksOnly) {
  Fixture f;
  f.tasks[1].trained = false;
  const ModelScores scores = MakeScores(f.tasks, f.rows);
  ASSERT_EQ(scores.documents.size(), 2u);
  EXPECT_DOUBLE_EQ(scores.documents[0].loss_sum, 1);
  EXPECT_EQ(scores.documents[0].answers, 1);
  EXPECT_THAT(scores.tasks.at("multi").correct, ElementsAre(true));
  EXPECT_DOUBLE_EQ(AnswerChanceLoss(f.tasks), std::log(2));
}

TEST(AnswerChanceLoss, IsTheMeanOverGoldAnswers) {
  Fixture f;
  EXPECT_DOUBLE_EQ(AnswerChanceLoss(f.tasks), (2 * std::log(2) + 2 * std::log(3)) / 4);
}

TEST(EvaluationToJson, HasTheAgreedShape) {
  Fixture f;
  Evaluation evaluation;
  evaluation.demonstration = true;
  evaluation.tasks = f.tasks;
  EvaluatedModel base, seed, predictions;
  base.name = "base";
  base.scores = MakeScores(f.tasks, f.rows);
  base.latency_ms = {1.5, 2};
  seed = base;
  seed.name = "seed 11";
  seed.kind = EvaluatedModel::Kind::kSeed;
  seed.seed = 11;
  seed.run = "r-3";
  seed.step = 60;
  seed.latency_ms.clear();
  predictions.name = "gpt";
  predictions.kind = EvaluatedModel::Kind::kPredictions;
  predictions.missing = "no such file";
  evaluation.models = {base, seed, predictions};
  const Json json = EvaluationToJson(evaluation);
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["split"], "test");
  EXPECT_EQ(
      json["tasks"][0]["items"][0].dump(),
      R"({"id":"i-1","document":"d-1","cluster":"d-1","jurisdiction":"AR","choices":2,"texts":["c","c"],)"
      R"("gold":1})");
  EXPECT_EQ(json["tasks"][1]["items"][0]["gold"].dump(), "[0,2]");
  EXPECT_EQ(json["models"][1].dump(), R"({"name":"seed 11","kind":"seed","seed":11,"run":"r-3",)"
                                      R"("step":60,"missing":null})");
  EXPECT_EQ(json["models"][2]["missing"], "no such file");
  EXPECT_EQ(json["scores"]["base"]["single"]["correct"].dump(), "[1,0]");
  EXPECT_EQ(json["scores"]["base"]["single"]["predicted"].dump(), "[1,1]");
  EXPECT_EQ(json["scores"]["base"]["multi"]["predicted"].dump(), "[[0,2]]");
  EXPECT_FALSE(json["scores"].contains("gpt"));
  EXPECT_EQ(json["loss"]["seed 11"]["documents"][1]["labels"], 2);
  EXPECT_EQ(json["latency"]["base"]["samples"].dump(), "[1.5,2.0]");
  EXPECT_FALSE(json["latency"].contains("seed 11"));
}

}  // namespace
}  // namespace scm::evaluator
