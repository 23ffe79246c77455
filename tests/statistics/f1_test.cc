#include "statistics/f1.h"

#include "gtest/gtest.h"

namespace scm::statistics {
namespace {

LabelAnswers Single(int labels, const std::vector<int>& gold, const std::vector<int>& predicted) {
  LabelAnswers out;
  out.labels = labels;
  out.predicted.emplace_back();
  for (size_t i = 0; i < gold.size(); ++i) {
    out.cluster.push_back(static_cast<int>(i));
    out.gold.push_back({gold[i]});
    out.predicted[0].push_back({predicted[i]});
  }
  return out;
}

double Value(const LabelAnswers& answers, F1Average average) {
  return F1(answers, average, {100, 1})->estimate.value;
}

TEST(F1, MatchesScikitLearn) {
  const LabelAnswers answers = Single(3, {0, 1, 2, 0, 1, 2}, {0, 2, 1, 0, 0, 1});
  EXPECT_NEAR(Value(answers, F1Average::kMacro), 0.26666666666666666, 1e-12);
  EXPECT_NEAR(Value(answers, F1Average::kMicro), 1.0 / 3, 1e-12);
}

TEST(F1, AbsentClassesCount) {
  EXPECT_DOUBLE_EQ(Value(Single(2, {0, 0}, {0, 0}), F1Average::kMacro), 0.5);
  EXPECT_DOUBLE_EQ(Value(Single(1, {0, 0}, {0, 0}), F1Average::kMacro), 1);
}

TEST(F1, UnreadableAnswersMissTheirLabelOnly) {
  const LabelAnswers answers = Single(2, {0, 0, 1}, {0, -1, 1});
  // Class 0: TP 1, FN 1 → 2/3; class 1: 1.
  EXPECT_NEAR(Value(answers, F1Average::kMacro), (2.0 / 3 + 1) / 2, 1e-12);
  EXPECT_NEAR(Value(answers, F1Average::kMicro), 4.0 / 5, 1e-12);
}

TEST(F1, MultiLabelAndExactSet) {
  LabelAnswers answers;
  answers.labels = 3;
  answers.cluster = {0, 1};
  answers.gold = {{0, 2}, {1}};
  answers.predicted = {{{2, 0}, {1, 2}}};
  // TP 3, FP 1, FN 0.
  EXPECT_NEAR(Value(answers, F1Average::kMicro), 6.0 / 7, 1e-12);
  EXPECT_NEAR(Value(answers, F1Average::kMacro), (1 + 1 + 2.0 / 3) / 3, 1e-12);
  EXPECT_EQ(ExactSet(answers).scores, (std::vector<std::vector<double>>{{1, 0}}));
}

TEST(F1, MicroOfSingleLabelsHasTheIntervalOfAccuracy) {
  // With one label an item, micro F1 is accuracy. Leaving out a cluster is exact in both; the
  // accuracy's linearisation is about the mean over seeds, so one seed makes them equal.
  LabelAnswers answers;
  answers.labels = 4;
  answers.predicted.emplace_back();
  for (int i = 0; i < 80; ++i) {
    answers.cluster.push_back(i / 4);
    answers.gold.push_back({i % 4});
    answers.predicted[0].push_back({(i * i) % 7 < 4 ? i % 4 : (i + 1) % 4});
  }
  const Estimate f1 = F1(answers, F1Average::kMicro, {100, 1})->estimate;
  const Estimate accuracy = ScoreInterval(ExactSet(answers)).value();
  EXPECT_NEAR(f1.value, accuracy.value, 1e-12);
  EXPECT_NEAR(f1.low, accuracy.low, 1e-10);
  EXPECT_NEAR(f1.high, accuracy.high, 1e-10);
  EXPECT_TRUE(f1.judged());
}

TEST(F1, Refusals) {
  EXPECT_FALSE(F1(Single(0, {0}, {0}), F1Average::kMacro, {}).ok());
  EXPECT_FALSE(F1(Single(2, {2}, {0}), F1Average::kMacro, {}).ok());
  LabelAnswers ragged = Single(2, {0, 1}, {0, 1});
  ragged.predicted[0].pop_back();
  EXPECT_FALSE(F1(ragged, F1Average::kMacro, {}).ok());
}

}  // namespace
}  // namespace scm::statistics
