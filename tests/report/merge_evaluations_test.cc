#include "report/merge_evaluations.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/report/example.h"

namespace scm::report {
namespace {

using ::testing::HasSubstr;

// The example as it would be scored by one task a model.
std::vector<Json> Parts(const Json& whole) {
  std::vector<Json> parts;
  for (const Json& model : whole["models"]) {
    Json part = whole;
    part["models"] = Json::array({model});
    const std::string name = model["name"].get<std::string>();
    for (const char* key : {"scores", "loss", "latency"}) {
      part[key] = Json::object();
      if (whole[key].contains(name)) part[key][name] = whole[key][name];
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

TEST(MergeEvaluations, PartsMakeTheWholeInAnyOrder) {
  ExampleOptions options;
  options.missing_baseline = "gpt-3.5";
  const Json whole = ExampleEvaluation(options);
  std::vector<Json> parts = Parts(whole);
  ASSERT_EQ(parts.size(), 7u);
  EXPECT_EQ(*MergeEvaluations(parts), whole);
  std::swap(parts.front(), parts.back());  // the predictions first, the base last
  EXPECT_EQ(*MergeEvaluations(parts), whole);
}

TEST(MergeEvaluations, OnePartIsTheWholeAndNoneIsNull) {
  const Json whole = ExampleEvaluation({});
  EXPECT_EQ(*MergeEvaluations({whole}), whole);
  EXPECT_TRUE(MergeEvaluations({})->is_null());
}

TEST(MergeEvaluations, OfTheMemoryTheLargestHolds) {
  std::vector<Json> parts = Parts(ExampleEvaluation({}));
  parts[0]["memory"] = {{"peak_rss_bytes", 5}, {"inference_peak_rss_bytes", 4}, {"model_bytes", 3}};
  parts[1]["memory"] = {
      {"peak_rss_bytes", 7}, {"inference_peak_rss_bytes", nullptr}, {"model_bytes", 3}};
  const Json merged = *MergeEvaluations({parts[0], parts[1]});
  EXPECT_EQ(merged["memory"],
            Json({{"peak_rss_bytes", 7}, {"inference_peak_rss_bytes", 4}, {"model_bytes", 3}}));
  EXPECT_EQ((*MergeEvaluations({parts[1], parts[0]}))["memory"], merged["memory"]);
}

TEST(MergeEvaluations, EveryInputIsNamedOnce) {
  std::vector<Json> parts = Parts(ExampleEvaluation({}));
  const Json corpus = {{"key", "data.corpus"}, {"path", "/c"}, {"sha256", "c0"}};
  const Json model = {{"key", "model.base"}, {"path", "/m"}, {"sha256", "a1"}};
  parts[0]["inputs"] = Json::array({corpus, model});
  parts[1]["inputs"] = Json::array({corpus});
  EXPECT_EQ((*MergeEvaluations({parts[0], parts[1]}))["inputs"], Json::array({corpus, model}));
  // Parts of an earlier version say nothing.
  EXPECT_EQ((*MergeEvaluations({parts[2], parts[0]}))["inputs"], Json::array({corpus, model}));
  EXPECT_FALSE(MergeEvaluations({parts[2], parts[3]})->contains("inputs"));
}

TEST(MergeEvaluations, RefusesPartsThatDoNotBelongTogether) {
  std::vector<Json> parts = Parts(ExampleEvaluation({}));
  std::vector<Json> twice = {parts[1], parts[1]};
  EXPECT_THAT(MergeEvaluations(twice).status().message(), HasSubstr("seed 11 stands in two parts"));
  parts[2]["tasks"][0]["items"][0]["gold"] = 3;
  EXPECT_THAT(MergeEvaluations(parts).status().message(), HasSubstr("tasks: the parts differ"));
}

}  // namespace
}  // namespace scm::report
