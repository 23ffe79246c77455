// The decision at one rung: golden sequences, ties and the words of the reason.
#include "coordinator/core/search/rung.h"

#include <gtest/gtest.h>

#include <cmath>

namespace scm::search {
namespace {

struct Sequence {
  const char* name;
  Better better;
  int64_t eta;
  std::vector<double> values;
  std::string decisions;  // C continues, . stops
};

class RungSequence : public testing::TestWithParam<Sequence> {};

TEST_P(RungSequence, Decides) {
  std::vector<RungEntry> entries;
  std::string decisions;
  for (size_t i = 0; i < GetParam().values.size(); ++i) {
    const TrialId trial = TrialId::FromNumber(static_cast<int64_t>(i));
    const size_t index = InsertAtRung(trial, GetParam().values[i], GetParam().better, entries);
    EXPECT_EQ(entries[index].trial, trial);
    decisions += JudgeAtRung(entries, index, 100, GetParam().eta).continues ? 'C' : '.';
  }
  EXPECT_EQ(decisions, GetParam().decisions);
}

const std::vector<double> kGolden = {.5, .4, .6, .45, .3, .35, .7, .2, .55};

std::vector<double> Negated(std::vector<double> values) {
  for (double& value : values) value = -value;
  return values;
}

INSTANTIATE_TEST_SUITE_P(
    Tables, RungSequence,
    testing::Values(
        Sequence{"GoldenMinimise", Better::kLower, 3, kGolden, "CC..CC.C."},
        Sequence{"GoldenMaximiseIsItsMirror", Better::kHigher, 3, Negated(kGolden), "CC..CC.C."},
        Sequence{"Improving", Better::kLower, 3, {9, 8, 7, 6, 5}, "CCCCC"},
        Sequence{"Worsening", Better::kLower, 3, {1, 2, 3, 4, 5, 6}, "C....."},
        // Third of nine would be enough only from n = 9 on.
        Sequence{"EtaFour", Better::kLower, 4, {1, 2, 3, 4, 5, 6, 7, 1.5}, "C......C"},
        Sequence{"EtaTwo", Better::kLower, 2, {1, 2, 3, 1.5, 2, 2.5}, "C..C.."},
        Sequence{"AllEqualPrunes", Better::kLower, 3, {1, 1, 1, 1, 1, 1, 1, 1, 1}, "C........"},
        Sequence{"TieGoesToTheEarlier", Better::kHigher, 3, {.5, .7, .7, .2, .1, .7}, "CC...."}),
    [](const auto& info) { return std::string(info.param.name); });

// The index under `better`, by counting instead of searching.
TEST(InsertAtRung, KeepsBestFirstAndEqualsInOrderOfArrival) {
  std::vector<RungEntry> entries;
  const std::vector<double> values = {3, 1, 2, 1, 3, 2, 1};
  for (size_t i = 0; i < values.size(); ++i) {
    size_t better_or_equal = 0;
    for (size_t j = 0; j < i; ++j) better_or_equal += values[j] <= values[i];
    EXPECT_EQ(InsertAtRung(TrialId::FromNumber(static_cast<int64_t>(i)), values[i], Better::kLower,
                           entries),
              better_or_equal);
  }
  std::string order;
  for (const RungEntry& entry : entries) order += entry.trial.str() + " ";
  EXPECT_EQ(order, "t-1 t-3 t-6 t-2 t-5 t-0 t-4 ");
}

std::vector<RungEntry> Entries(const std::vector<double>& sorted) {
  std::vector<RungEntry> entries;
  for (size_t i = 0; i < sorted.size(); ++i) {
    entries.push_back({TrialId::FromNumber(static_cast<int64_t>(i)), sorted[i]});
  }
  return entries;
}

TEST(JudgeAtRung, GivesReasonsPeopleCanRead) {
  const std::vector<RungEntry> six = Entries({1, 2, 2, 2, 5, 6});
  EXPECT_EQ(JudgeAtRung(six, 1, 100, 3).reason, "2nd of 6 at step 100: continues (top 1/3)");
  EXPECT_EQ(JudgeAtRung(six, 4, 100, 3).reason, "5th of 6 at step 100: stops (not in the top 1/3)");
  EXPECT_EQ(JudgeAtRung(six, 2, 100, 3).reason,
            "3rd of 6 at step 100: stops (not in the top 1/3; 1 earlier trial has the same value)");
  EXPECT_EQ(JudgeAtRung(six, 3, 300, 3).reason,
            "4th of 6 at step 300: stops (not in the top 1/3; 2 earlier trials have the same "
            "value)");
  EXPECT_EQ(JudgeAtRung(Entries({1}), 0, 100, 3).reason,
            "1st of 1 at step 100: continues (the best so far)");
  EXPECT_EQ(JudgeAtRung(Entries({1, 2}), 1, 100, 3).reason,
            "2nd of 2 at step 100: stops (not the best so far)");
  EXPECT_EQ(LastRungReason(six, 1, 1000), "2nd of 6 at step 1000, the last rung: runs to its end");
}

TEST(JudgeAtRung, WritesOrdinals) {
  const std::vector<RungEntry> many = Entries(std::vector<double>(120, 0));
  const std::pair<size_t, const char*> table[] = {
      {10, "11th "}, {11, "12th "}, {12, "13th "},   {20, "21st "},   {21, "22nd "},
      {22, "23rd "}, {23, "24th "}, {100, "101st "}, {110, "111th "}, {111, "112th "}};
  for (const auto& [index, start] : table) {
    EXPECT_EQ(LastRungReason(many, index, 1).substr(0, std::string(start).size()), start);
  }
}

}  // namespace
}  // namespace scm::search
