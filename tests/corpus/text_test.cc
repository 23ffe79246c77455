#include "corpus/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/rng.h"
#include "common/utf8.h"
#include "corpus/shingles.h"

namespace scm::corpus {
namespace {

using ::testing::ElementsAre;

TEST(TextTest, FindsTheFirstByteThatIsNotUtf8) {
  const struct {
    std::string text;
    std::optional<size_t> bad;
  } cases[] = {
      {"", std::nullopt},
      {"abc", std::nullopt},
      {"señor €, 😀", std::nullopt},
      {"\xF4\x8F\xBF\xBF", std::nullopt},  // U+10FFFF
      {"a\xE9", 1},                        // Latin-1
      {"ab\x80", 2},                       // continuation without a lead
      {"\xC0\xAF", 0},                     // overlong
      {"\xE0\x80\x80", 0},                 // overlong
      {"\xED\xA0\x80", 0},                 // surrogate
      {"\xF4\x90\x80\x80", 0},             // beyond U+10FFFF
      {"\xF8\x88\x80\x80\x80", 0},         // five bytes
      {"x\xE2\x82", 1},                    // cut off
  };
  for (const auto& c : cases)
    EXPECT_EQ(FirstInvalidUtf8(c.text), c.bad.value_or(std::string::npos)) << c.text;
}

TEST(TextTest, FoldsCaseAndSpace) {
  EXPECT_EQ(Fold("  ÁÑ\tÜ \n x\u00A0Ÿ "), "áñ ü x ÿ");
  EXPECT_EQ(Fold("Ž ž Ł ł Ÿ × Þ"), "ž ž ł ł ÿ × þ");
  EXPECT_EQ(Fold("ß 漢 😀"), "ß 漢 😀");
  EXPECT_EQ(Fold("   "), "");
}

TEST(TextTest, SplitsWords) {
  EXPECT_THAT(FoldedWords("¿Qué dice el art. 363.1.e? «Nada» — 5 %; n.º 2"),
              ElementsAre("qué", "dice", "el", "art", "363", "1", "e", "nada", "5", "n", "º", "2"));
  EXPECT_THAT(FoldedWords(" ¡! "), ElementsAre());
}

TEST(TextTest, CountsCodePoints) { EXPECT_EQ(CodePoints("sí, €😀"), 6); }

TEST(ShinglesTest, JaccardOfKnownSets) {
  // Five-word runs: "a b c d e", "b c d e f" against "b c d e f", "c d e f g".
  EXPECT_DOUBLE_EQ(Jaccard(MakeShingles("a b c d e f", 5), MakeShingles("b C d, e f g", 5)),
                   1.0 / 3);
  EXPECT_DOUBLE_EQ(Jaccard(MakeShingles("a b", 5), MakeShingles("A  b.", 5)), 1);
  EXPECT_DOUBLE_EQ(Jaccard({}, {}), 0);
  EXPECT_EQ(MakeShingles("x x x x", 2).size(), 1u);
}

TEST(ShinglesTest, FindsEveryPairThatExactComparisonFinds) {
  constexpr uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  Philox rng(kSeed, "shingles-test");
  // Copies with one changed word at the end, so similarities lie on both sides of the threshold.
  std::vector<Shingles> probes, indexed;
  for (int i = 0; i < 60; ++i) {
    std::string text, changed;
    const uint64_t words = 8 + rng.Below(40);
    for (uint64_t w = 0; w < words; ++w) {
      const std::string word = absl::StrCat("w", rng.Below(5000), " ");
      text += word;
      changed += w + 2 == words ? "other " : word;
    }
    indexed.push_back(MakeShingles(text, 5));
    probes.push_back(MakeShingles(changed, 5));
  }
  std::vector<std::pair<size_t, size_t>> expected, found;
  for (size_t p = 0; p < probes.size(); ++p) {
    for (size_t i = 0; i < indexed.size(); ++i) {
      if (Jaccard(probes[p], indexed[i]) >= 0.8) expected.emplace_back(p, i);
    }
  }
  for (const NearMatch& match : FindNearMatches(probes, indexed, 0.8)) {
    found.emplace_back(match.probe, match.match);
    EXPECT_DOUBLE_EQ(match.similarity, Jaccard(probes[match.probe], indexed[match.match]));
  }
  EXPECT_EQ(found, expected);
  EXPECT_GT(expected.size(), 10u);
  EXPECT_LT(expected.size(), 55u);
}

}  // namespace
}  // namespace scm::corpus
