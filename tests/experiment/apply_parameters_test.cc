// A trial's parameters applied to a spec.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const ExperimentSpec& spec, const Json& parameters) {
  const absl::StatusOr<ExperimentSpec> applied = ApplyParameters(spec, parameters);
  if (applied.ok()) return "";
  EXPECT_EQ(applied.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(applied.status().message());
}

TEST(ApplyParameters, ChangesTheseAndNothingElse) {
  const ExperimentSpec spec = *Parse(kValid).spec;
  const Json parameters = *ParseJson(
      R"({"training.learning_rate": 0.001, "training.batch_size": 8, "lora.r": 32,
          "lora.target_modules": ["k_proj"], "training.schedule": "cosine",
          "trainer.parameters.new.key": [1]})",
      "test");
  const absl::StatusOr<ExperimentSpec> applied = ApplyParameters(spec, parameters);
  ASSERT_TRUE(applied.ok()) << applied.status();
  Json expected = SpecToJson(spec);
  expected["training"]["learning_rate"] = 0.001;
  expected["training"]["batch_size"] = 8;
  expected["training"]["schedule"] = "cosine";
  expected["lora"]["r"] = 32;
  expected["lora"]["target_modules"] = {"k_proj"};
  expected["trainer"]["parameters"]["new"]["key"] = Json::array({1});
  EXPECT_EQ(SpecToJson(*applied).dump(2), expected.dump(2));
}

TEST(ApplyParameters, AllLinearIsEveryMatrix) {
  const auto applied =
      ApplyParameters(*Parse(kValid).spec, Json{{"lora.target_modules", "all-linear"}});
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(applied->lora.target_modules.size(), 7u);
}

TEST(ApplyParameters, NoneGiveTheSameSpec) {
  const ExperimentSpec spec = *Parse(kValid).spec;
  const absl::StatusOr<ExperimentSpec> applied = ApplyParameters(spec, Json::object());
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(SpecToJson(*applied), SpecToJson(spec));
}

TEST(ApplyParameters, KeepsTheDigests) {
  ExperimentSpec spec = *Parse(kValid).spec;
  spec.digests["corpus"] = "ab";
  EXPECT_EQ(ApplyParameters(spec, Json{{"lora.r", 8}})->digests, spec.digests);
}

TEST(ApplyParameters, TakesAWholeNumberThatASearcherHoldsAsDouble) {
  const ExperimentSpec spec = *Parse(kValid).spec;
  EXPECT_EQ(ApplyParameters(spec, Json{{"training.batch_size", 8.0}})->training.batch_size, 8);
  EXPECT_EQ(ApplyParameters(spec, Json{{"lora.alpha", 8}})->lora.alpha, 8.0);
}

TEST(ApplyParameters, ValuesKeepTheirLastBit) {
  const ExperimentSpec spec = *Parse(kValid).spec;
  for (double value : {0.1 + 0.2, 1.0 / 3, 5e-324, 1.7976931348623157e308, 2e-4}) {
    EXPECT_EQ(
        ApplyParameters(spec, Json{{"training.learning_rate", value}})->training.learning_rate,
        value);
  }
}

TEST(ApplyParameters, NamesTheKeyAndWhatIsWrong) {
  const ExperimentSpec spec = *Parse(absl::StrCat(kValid, "training: {max_steps: 500}\n")).spec;
  const std::pair<Json, std::string> cases[] = {
      {Json{{"training.lr", 1}}, "training.lr: is no parameter that a sweep can vary"},
      {Json{{"training.max_steps", 1}}, "training.max_steps: cannot be swept"},
      {Json{{"name", "x"}}, "name: is no parameter"},
      {Json{{"lora.r", "8"}}, "lora.r: expected a whole number"},
      {Json{{"lora.r", 8.5}}, "lora.r: expected a whole number"},
      {Json{{"lora.r", true}}, "lora.r: expected a whole number"},
      {Json{{"lora.r", nullptr}}, "lora.r: expected a whole number"},
      {Json{{"training.learning_rate", -1}}, "training.learning_rate: expected a number above 0"},
      {Json{{"training.learning_rate", "NaN"}},
       "training.learning_rate: expected a number above 0"},
      {Json{{"training.warmup_steps", 501}}, "training.warmup_steps: 501 is more than max_steps"},
      {Json::array({1}), "must be an object of dotted keys"},
  };
  for (const auto& [parameters, message] : cases) {
    EXPECT_THAT(ErrorOf(spec, parameters), HasSubstr(message)) << parameters;
  }
}

TEST(ApplyParameters, ReachesIntoTheSectionsOfAnotherTrainer) {
  const ExperimentSpec spec =
      *Parse(absl::StrCat(kValidCustom, "lora: {rank: 8, kind: {a: 1}}\n")).spec;
  const absl::StatusOr<ExperimentSpec> applied = ApplyParameters(
      spec, Json{{"lora.kind.a", "x"}, {"data.mix", 0.5}, {"training.learning_rate", 0.5}});
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(applied->opaque_lora.dump(), R"({"rank":8,"kind":{"a":"x"}})");
  EXPECT_EQ(applied->opaque_data.dump(), R"({"mix":0.5})");
  EXPECT_EQ(applied->training.learning_rate, 0.5);
  EXPECT_THAT(ErrorOf(spec, Json{{"lora.rank.x", 1}}), HasSubstr("nothing can be set below it"));
}

}  // namespace
}  // namespace scm
