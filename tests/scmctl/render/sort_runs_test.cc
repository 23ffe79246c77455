#include "scmctl/render/sort_runs.h"

#include <gmock/gmock.h>

#include "scmctl/render/render.h"
#include "tests/scmctl/answers.h"

namespace scm::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json Answer() {
  Json runs = Json::array();
  const Json losses[] = {2.5, "NaN", 0.5, nullptr, 10.0};
  for (int i = 0; i < 5; ++i) {
    Json run = RunAnswer("r-" + std::to_string(i + 1), 11 + i, i == 1 ? "ABORTED" : "SUCCEEDED", i);
    run["parameters"] = {{"training.learning_rate", 0.1 * (5 - i)}, {"trainer.rate", i}};
    run["latest"] = {{"validation_loss", losses[i]}};
    runs.push_back(run);
  }
  return {{"runs", runs}};
}

std::vector<std::string> Order(const std::string& key, bool reverse = false) {
  Json answer = Answer();
  EXPECT_TRUE(SortRuns(answer, key, reverse).ok()) << key;
  std::vector<std::string> ids;
  for (const Json& run : answer["runs"]) ids.push_back(StringAt(run, "id"));
  return ids;
}

TEST(SortRuns, ByMetricParameterOrKeyWithMissingValuesLast) {
  EXPECT_THAT(Order("validation_loss"), ElementsAre("r-3", "r-1", "r-5", "r-2", "r-4"));
  EXPECT_THAT(Order("validation_loss", true), ElementsAre("r-5", "r-1", "r-3", "r-2", "r-4"));
  EXPECT_THAT(Order("learning_rate"), ElementsAre("r-5", "r-4", "r-3", "r-2", "r-1"));
  EXPECT_THAT(Order("training.learning_rate", true),
              ElementsAre("r-1", "r-2", "r-3", "r-4", "r-5"));
  EXPECT_THAT(Order("state"), ElementsAre("r-2", "r-1", "r-3", "r-4", "r-5"));
  EXPECT_THAT(Order("step", true), ElementsAre("r-5", "r-4", "r-3", "r-2", "r-1"));
}

TEST(SortRuns, WhatNoRunHasIsSaidWithWhatThereIs) {
  Json answer = Answer();
  const absl::Status status = SortRuns(answer, "validation_los", false);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("did you mean validation_loss?"), HasSubstr("trainer.rate")));
  EXPECT_EQ(answer["runs"].size(), 5u) << "nothing is lost";
  Json none = {{"runs", Json::array()}};
  EXPECT_TRUE(SortRuns(none, "anything", false).ok());
}

TEST(RenderRuns, ParametersAndTheMetricStayAt80Columns) {
  Json answer = Answer();
  for (Json& run : answer["runs"]) {
    run["trial"] = "t-12";
    run["stage"] = "sweep";
    run["latest"] = {{"validation_loss", 0.84}, {"validation_accuracy", 0.71}};
    run["parameters"] = {{"training.learning_rate", 0.000123456789}, {"training.batch_size", 8}};
    run["reason"] = "stopped by the searcher at rung 300: 4 of 12 trials go on";
  }
  const std::string narrow = RenderRuns(answer, {true, false, 80, 24});
  EXPECT_LE(WidestLine(narrow), 80);
  for (const char* shown : {"val.loss", "0.84", "parameters", "learning_rate=0.000123",
                            "batch_size=8", "state", "step"}) {
    EXPECT_THAT(narrow, HasSubstr(shown));
  }
  const std::string wide = RenderRuns(answer, {true, false, 200, 24});
  for (const char* shown : {"trial", "accuracy", "seed", "4 of 12 trials go on"}) {
    EXPECT_THAT(wide, HasSubstr(shown));
  }
}

}  // namespace
}  // namespace scm::ctl
