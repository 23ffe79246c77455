// Sentences with known verdicts, each linted alone, over one report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "claims/lint.h"
#include "common/files.h"

namespace scm::claims {
namespace {

using ::testing::ElementsAre;

std::string DataFile(const std::string& name) {
  const auto text = ReadFile(absl::StrCat(SCM_SOURCE_DIR, "/tests/claims/", name));
  EXPECT_TRUE(text.ok()) << text.status();
  return *text;
}

const Json& Report() {
  static const auto* const report = new Json(*ParseJson(DataFile("report.json"), "report.json"));
  return *report;
}

LintResult Lint(const std::string& text, DraftFormat format = DraftFormat::kMarkdown) {
  const auto result = LintDraft(text, format, Report());
  EXPECT_TRUE(result.ok()) << result.status();
  return *result;
}

std::string VerdictOn(const std::string& sentence) {
  const LintResult result = Lint(sentence);
  if (result.refused > 0) return "refused";
  return result.supported > 0 ? "supported" : "none";
}

std::vector<std::pair<std::string, std::string>> Sentences(const std::string& file) {
  std::vector<std::pair<std::string, std::string>> sentences;
  const std::vector<std::string> lines = absl::StrSplit(DataFile(file), '\n');
  for (const std::string& line : lines) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    EXPECT_EQ(parts.size(), 2u) << line;
    sentences.emplace_back(parts[0], parts[1]);
  }
  return sentences;
}

// No unsupported claim passes; of the others at most one in twenty is refused, and which are is
// printed.
void CheckVerdicts(const std::string& file) {
  std::map<std::string, int> counts, refused;
  for (const auto& [known, sentence] : Sentences(file)) {
    ++counts[known];
    const std::string verdict = VerdictOn(sentence);
    if (known == "refused") {
      EXPECT_EQ(verdict, "refused") << sentence;
    } else if (verdict == "refused") {
      ++refused[known];
      std::printf("refused, though it is %s: %s\n  %s\n", known.c_str(), sentence.c_str(),
                  DumpJson(ToJson(Lint(sentence))).c_str());
    } else if (known == "supported") {
      EXPECT_EQ(verdict, "supported") << sentence;
    }
  }
  EXPECT_GE(counts["refused"] + counts["supported"], 125);
  for (const char* known : {"supported", "none"}) {
    EXPECT_LE(20 * refused[known], counts[known]) << known;
  }
}

TEST(ClaimSentences, HaveTheirVerdicts) { CheckVerdicts("sentences.txt"); }

// Written from the report alone, without a look at the linter.
TEST(ClaimSentences, OfOtherHandsHaveTheirVerdicts) {
  CheckVerdicts("other_hands_1.txt");
  CheckVerdicts("other_hands_2.txt");
}

TEST(LintDraft, SaysWhereWhyAndWhatWouldBeTrue) {
  const LintResult result = Lint(
      "# Results\n\nWe trained five seeds. Our model\noutperforms GPT-3.5 on legal reasoning.\n");
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].line, 3);
  EXPECT_THAT(result.findings[0].reasons, ElementsAre("the difference goes the other way"));
  EXPECT_THAT(result.findings[0].instead,
              ElementsAre("On legal_reasoning the model loses 18.3 points against gpt-3.5 "
                          "(95 % interval 11.6 to 25.0, p < .001)."));
}

TEST(LintDraft, CarriesOnWhatAParagraphSpeaksOf) {
  const LintResult result = Lint(
      "On compliance reasoning we compare with the base model. The difference is significant.\n\n"
      "On legal reasoning our model outperforms the base model. The difference is significant.\n");
  EXPECT_EQ(result.refused, 1);
  EXPECT_EQ(result.supported, 2);
}

TEST(LintDraft, SuggestsTheIntervalOfABareNumber) {
  const LintResult result = Lint("Accuracy on legal reasoning is 64.0 %.");
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_THAT(result.findings[0].instead,
              ElementsAre("Accuracy on legal_reasoning is 64.0 % (95 % interval 57.1 to 71.0)."));
}

TEST(LintDraft, KnowsOtherWordsForABaseline) {
  const Aliases aliases = {{"the davinci model", "gpt-3.5"}};
  const auto result = LintDraft("On legal reasoning the davinci model outperforms our model.",
                                DraftFormat::kMarkdown, Report(), aliases);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->supported, 1);
}

TEST(LintDraft, ShowsWhereASentenceCites) {
  const LintResult result = Lint("Our model matches GPT-3.5 [12].");
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].sentence, "Our model matches GPT-3.5 […].");
}

TEST(LintDraft, RefusesWhatIsNoReport) {
  EXPECT_FALSE(LintDraft("x", DraftFormat::kMarkdown, Json::object()).ok());
}

}  // namespace
}  // namespace scm::claims
