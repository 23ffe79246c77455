// Which points grid, random and ASHA sweeps try.
#include "coordinator/core/search/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace scm::search {
namespace {

SweepSpec Spec(std::string search, int64_t max_trials,
               std::vector<std::pair<std::string, ParameterSpace>> space) {
  SweepSpec spec;
  spec.search = std::move(search);
  spec.max_trials = max_trials;
  spec.space = std::move(space);
  return spec;
}

std::string Dump(const std::vector<Json>& points) { return Json(points).dump(); }

TEST(Grid, IsTheProductInFileOrder) {
  const SweepSpec spec = Spec("grid", 16,
                              {{"training.learning_rate", Choice{{0.001, 0.0001}}},
                               {"training.batch_size", Choice{{2, 4, 8}}}});
  const std::vector<Json> points = SamplePoints(spec);
  ASSERT_EQ(points.size(), 6u);
  EXPECT_EQ(points[0].dump(), R"({"training.learning_rate":0.001,"training.batch_size":2})");
  EXPECT_EQ(points[1].dump(), R"({"training.learning_rate":0.001,"training.batch_size":4})");
  EXPECT_EQ(points[3].dump(), R"({"training.learning_rate":0.0001,"training.batch_size":2})");
  EXPECT_EQ(points[5].dump(), R"({"training.learning_rate":0.0001,"training.batch_size":8})");
}

TEST(Grid, KeepsTheFirstMaxTrials) {
  const SweepSpec spec = Spec("grid", 4, {{"a", Choice{{1, 2}}}, {"b", Choice{{1, 2, 3}}}});
  EXPECT_EQ(Dump(SamplePoints(spec)),
            R"([{"a":1,"b":1},{"a":1,"b":2},{"a":1,"b":3},{"a":2,"b":1}])");
}

TEST(Grid, SkipsRepeatedChoices) {
  EXPECT_EQ(Dump(SamplePoints(Spec("grid", 9, {{"a", Choice{{1, 1, 2}}}}))),
            R"([{"a":1},{"a":2}])");
}

struct Ranged {
  const char* name;
  int64_t max_trials;
  std::vector<std::pair<std::string, ParameterSpace>> space;
  std::string points;
};

class RangedGrid : public testing::TestWithParam<Ranged> {};

TEST_P(RangedGrid, HasTheMostPointsThatFit) {
  EXPECT_EQ(Dump(SamplePoints(Spec("grid", GetParam().max_trials, GetParam().space))),
            GetParam().points);
}

INSTANTIATE_TEST_SUITE_P(
    Tables, RangedGrid,
    testing::Values(
        Ranged{"LogarithmicWithBothEnds",
               4,
               {{"a", LogUniform{1e-5, 1e-2}}},
               R"([{"a":1e-05},{"a":0.0001},{"a":0.001},{"a":0.01}])"},
        Ranged{"Linear",
               5,
               {{"a", Uniform{0, 0.2}}},
               R"([{"a":0.0},{"a":0.05},{"a":0.1},{"a":0.15},{"a":0.2}])"},
        Ranged{
            "WholeNumbersNoneTwice", 16, {{"a", IntUniform{3, 5}}}, R"([{"a":3},{"a":4},{"a":5}])"},
        Ranged{"WholeNumbersSpread",
               3,
               {{"a", IntUniform{0, 100}}},
               R"([{"a":0},{"a":50},{"a":100}])"},
        Ranged{"SharesWithChoices",
               5,
               {{"a", Choice{{1, 2}}}, {"b", Uniform{0, 1}}},
               R"([{"a":1,"b":0.0},{"a":1,"b":1.0},{"a":2,"b":0.0},{"a":2,"b":1.0}])"},
        Ranged{
            "MiddleIfThereIsRoomForOne", 1, {{"a", LogUniform{1e-4, 1e-2}}}, R"([{"a":0.001}])"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Random, TrialsDoNotDependOnHowManyThereAre) {
  SweepSpec spec = Spec("random", 4, {{"a", LogUniform{1e-5, 1e-3}}, {"b", Uniform{0, 1}}});
  const std::vector<Json> four = SamplePoints(spec);
  spec.max_trials = 40;
  const std::vector<Json> forty = SamplePoints(spec);
  ASSERT_EQ(four.size(), 4u);
  ASSERT_EQ(forty.size(), 40u);
  for (size_t i = 0; i < four.size(); ++i) EXPECT_EQ(four[i], forty[i]);
  spec.seed = 2;
  EXPECT_NE(SamplePoints(spec)[0], forty[0]);
}

TEST(Random, StaysInRangeAndCoversIt) {
  const SweepSpec spec = Spec("random", 2000,
                              {{"log", LogUniform{1e-5, 1e-1}},
                               {"lin", Uniform{-1, 3}},
                               {"int", IntUniform{2, 5}},
                               {"choice", Choice{{"x", "y", "z"}}}});
  int below_middle = 0;
  std::set<int64_t> ints;
  std::set<std::string> choices;
  double sum = 0;
  for (const Json& point : SamplePoints(spec)) {
    const double log_value = point["log"].get<double>();
    EXPECT_GE(log_value, 1e-5);
    EXPECT_LE(log_value, 1e-1);
    below_middle += log_value < 1e-3;
    const double lin = point["lin"].get<double>();
    EXPECT_GE(lin, -1);
    EXPECT_LE(lin, 3);
    sum += lin;
    ints.insert(point["int"].get<int64_t>());
    choices.insert(point["choice"].get<std::string>());
  }
  // Half of a log-uniform range lies below its geometric middle; five standard deviations.
  EXPECT_NEAR(below_middle / 2000.0, 0.5, 5 * 0.5 / std::sqrt(2000));
  EXPECT_NEAR(sum / 2000, 1.0, 5 * (4 / std::sqrt(12)) / std::sqrt(2000));
  EXPECT_EQ(ints, (std::set<int64_t>{2, 3, 4, 5}));
  EXPECT_EQ(choices.size(), 3u);
}

TEST(Random, NeverTriesAPointTwiceAndEndsWhenTheSpaceIsUsedUp) {
  const std::vector<Json> points =
      SamplePoints(Spec("asha", 16, {{"a", Choice{{1, 2, 3}}}, {"b", Choice{{1, 2}}}}));
  std::set<std::string> seen;
  for (const Json& point : points) seen.insert(point.dump());
  EXPECT_EQ(points.size(), 6u);
  EXPECT_EQ(seen.size(), 6u);
}

// What is shown is what was trained with.
TEST(Random, RealsHaveSixDigits) {
  for (const Json& point : SamplePoints(Spec("random", 50, {{"a", LogUniform{1e-5, 1e-3}}}))) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", point["a"].get<double>());
    EXPECT_EQ(strtod(text, nullptr), point["a"].get<double>());
  }
}

struct RefusedSweep {
  const char* name;
  std::vector<std::pair<std::string, ParameterSpace>> space;
  const char* says;
};

class RefusedSpace : public testing::TestWithParam<RefusedSweep> {};

TEST_P(RefusedSpace, NamesTheParameter) {
  const absl::Status status = CheckSpace(Spec("random", 4, GetParam().space));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find(GetParam().says), std::string::npos) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Tables, RefusedSpace,
    testing::Values(RefusedSweep{"Empty", {}, "at least one parameter"},
                    RefusedSweep{
                        "LogFromZero", {{"a.b", LogUniform{0, 1}}}, "sweep.space.a.b: log_"},
                    RefusedSweep{"Backwards", {{"a.b", Uniform{2, 1}}}, "found [2, 1]"},
                    RefusedSweep{"NotANumber", {{"a.b", Uniform{0, NAN}}}, "sweep.space.a.b"},
                    RefusedSweep{"NoInteger", {{"a.b", IntUniform{3, 3}}}, "found [3, 3]"},
                    RefusedSweep{"NoChoice", {{"a.b", Choice{{}}}}, "at least one value"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(CheckSpace, AcceptsGoodOnesAndRefusesZeroTrials) {
  SweepSpec spec = Spec("random", 1, {{"a", IntUniform{1, 2}}, {"b", Choice{{true}}}});
  EXPECT_TRUE(CheckSpace(spec).ok());
  spec.max_trials = 0;
  EXPECT_FALSE(CheckSpace(spec).ok());
}

}  // namespace
}  // namespace scm::search
