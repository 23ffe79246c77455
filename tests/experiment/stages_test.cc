// Which stages an experiment has, and what each of them needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string StagesOf(const std::string& text) {
  const ParsedExperiment parsed = Parse(text);
  if (!parsed.spec) return absl::StrJoin(Lines(parsed.errors), "\n");
  return absl::StrJoin(parsed.spec->stages, " ", [](std::string* out, StageKind stage) {
    absl::StrAppend(out, StageName(stage));
  });
}

constexpr char kSweep[] = "sweep: {search: random, space: {lora.r: {choice: [8, 16]}}}\n";
constexpr char kEvaluationSection[] = "evaluation: {tasks: [a]}\n";
constexpr char kExport[] = "export: {}\n";
constexpr char kNoSeeds[] = "name: t\nmodel: {base: m.gguf}\ndata: {corpus: c}\n";

TEST(DefaultStages, AreThoseThatTheSectionsAllow) {
  EXPECT_EQ(StagesOf(kValid), "check replicate report");
  EXPECT_EQ(StagesOf(absl::StrCat(kValid, kSweep)), "check sweep replicate report");
  EXPECT_EQ(StagesOf(absl::StrCat(kValid, kSweep, kEvaluationSection, kExport)),
            "check sweep replicate evaluate export report");
  EXPECT_EQ(StagesOf(absl::StrCat(kNoSeeds, kSweep)), "check sweep report");
}

TEST(DefaultStages, OfAnotherTrainerDependOnItsModel) {
  EXPECT_EQ(StagesOf(kValidCustom), "replicate report");
  EXPECT_EQ(StagesOf(absl::StrCat(kValidCustom, kSweep)), "sweep replicate report");
  EXPECT_EQ(StagesOf(absl::StrCat(kValidCustom, "model: none\n")), "replicate report");
  EXPECT_EQ(StagesOf(absl::StrCat(kValidCustom, kEvaluationSection)), "replicate report");
  EXPECT_EQ(StagesOf(absl::StrCat(kValidCustom, "model: [any, thing]\n", kEvaluationSection)),
            "check replicate evaluate report");
}

TEST(Stages, AreTakenAsGiven) {
  EXPECT_EQ(StagesOf(absl::StrCat(kValid, "stages: [replicate]\n")), "replicate");
  EXPECT_EQ(StagesOf(absl::StrCat(kValid, "stages: [check, report]\n")), "check report");
  EXPECT_EQ(StagesOf(absl::StrCat(kNoSeeds, "stages: [check]\n")), "check");
}

TEST(Stages, ErrorsSayWhatIsMissing) {
  const auto errors_of = [](const std::string& stages) {
    return Errors(absl::StrCat(kValid, "stages: ", stages, "\n"));
  };
  EXPECT_THAT(
      errors_of("[sweep, replicate]"),
      ElementsAre("f:5: stages: the stage sweep needs a section sweep. Add it, or remove the "
                  "stage"));
  EXPECT_THAT(errors_of("[replicate, evaluate]"),
              ElementsAre(HasSubstr("the stage evaluate needs a section evaluation")));
  EXPECT_THAT(errors_of("[replicate, export]"),
              ElementsAre(HasSubstr("the stage export needs a section export")));
  EXPECT_THAT(errors_of("[replicate, check]"),
              ElementsAre("f:5: stages: check comes before replicate. The order is [check, "
                          "replicate]"));
  EXPECT_THAT(errors_of("[replicate, replicate]"), ElementsAre(HasSubstr("listed twice")));
  EXPECT_THAT(errors_of("[replicat]"), ElementsAre(HasSubstr("Did you mean replicate?")));
  EXPECT_THAT(errors_of("[]"), ElementsAre(HasSubstr("expected a list of check")));
  EXPECT_THAT(errors_of("replicate"), ElementsAre(HasSubstr("expected a list of check")));
  EXPECT_THAT(errors_of("[report]"), ElementsAre(HasSubstr("nothing would be trained")));
}

TEST(Stages, NeedWhatTheyWorkOn) {
  EXPECT_THAT(Errors(absl::StrCat(kNoSeeds, kSweep, "stages: [sweep, replicate]\n")),
              ElementsAre(HasSubstr("the stage replicate needs replicate: {seeds:")));
  EXPECT_THAT(
      Errors(absl::StrCat(kValid, kSweep, kEvaluationSection, "stages: [sweep, evaluate]\n")),
      ElementsAre(HasSubstr("the stage evaluate works on what the stage replicate trained")));
  EXPECT_THAT(
      Errors(absl::StrCat(kValidCustom, kEvaluationSection, "stages: [replicate, evaluate]\n")),
      ElementsAre(HasSubstr("the stage evaluate needs a model")));
  EXPECT_THAT(Errors(kNoSeeds), ElementsAre(HasSubstr("f: replicate: nothing would be trained")));
}

TEST(Stages, SectionsThatNoStageUsesAreWarnings) {
  EXPECT_THAT(Warnings(absl::StrCat(kValid, kSweep, kExport, "stages: [replicate]\n")),
              ElementsAre("f:5: sweep: is not used: the stage sweep is not among stages",
                          "f:6: export: is not used: the stage export is not among stages"));
}

TEST(StageName, RoundTrips) {
  for (StageKind stage : kAllStages) EXPECT_EQ(StageFromName(StageName(stage)), stage);
  EXPECT_EQ(StageFromName("nothing"), std::nullopt);
}

}  // namespace
}  // namespace scm
