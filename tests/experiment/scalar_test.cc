// What a single YAML value means.
#include "experiment/scalar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiment/helpers.h"

namespace scm::experiment_file {
namespace {

Node Plain(const std::string& text) {
  Node node;
  node.kind = NodeKind::kPlain;
  node.text = text;
  return node;
}

Node Quoted(const std::string& text) {
  Node node = Plain(text);
  node.kind = NodeKind::kQuoted;
  return node;
}

TEST(AsNumber, TakesTheSpellingsOfJsonAndExponentsWithoutAPoint) {
  const std::pair<const char*, double> good[] = {
      {"0", 0},  {"7", 7},         {"-3", -3},     {"+3", 3},     {"0.5", 0.5},  {".5", 0.5},
      {"5.", 5}, {"2.0e-4", 2e-4}, {"1e-3", 1e-3}, {"1E3", 1000}, {"1e+3", 1000}};
  for (const auto& [text, value] : good) EXPECT_EQ(AsNumber(Plain(text)), value) << text;
  for (const char* bad :
       {"",    "-",   ".",    "e5",   "1e",  "1e+",      "010",  "0x10",  "1_000", "1,5",
        "1 2", "nan", ".nan", ".inf", "inf", "Infinity", "true", "1e999", "５",    "12a"}) {
    EXPECT_EQ(AsNumber(Plain(bad)), std::nullopt) << bad;
  }
  EXPECT_EQ(AsNumber(Quoted("5")), std::nullopt);
}

TEST(AsInteger, TakesWholeNumbersHoweverTheyAreWritten) {
  const std::pair<const char*, int64_t> good[] = {
      {"12", 12}, {"-12", -12}, {"2e3", 2000}, {"2.0", 2}, {"9223372036854775807", INT64_MAX}};
  for (const auto& [text, value] : good) EXPECT_EQ(AsInteger(Plain(text)), value) << text;
  for (const char* bad : {"0.5", "1e-3", "9223372036854775808", "1e30", "007", "true", "x"}) {
    EXPECT_EQ(AsInteger(Plain(bad)), std::nullopt) << bad;
  }
}

TEST(AsBool, TakesTrueAndFalseOnly) {
  EXPECT_EQ(AsBool(Plain("true")), true);
  EXPECT_EQ(AsBool(Plain("false")), false);
  for (const char* bad : {"yes", "on", "True", "1", "0", ""}) {
    EXPECT_EQ(AsBool(Plain(bad)), std::nullopt) << bad;
  }
  EXPECT_EQ(AsBool(Quoted("true")), std::nullopt);
}

TEST(AsText, TakesWordsAndQuotes) {
  EXPECT_EQ(AsText(Plain("word")), "word");
  EXPECT_EQ(AsText(Quoted("5")), "5");
  EXPECT_EQ(AsText(Quoted("")), "");
  EXPECT_EQ(AsText(Plain("5")), std::nullopt);
  EXPECT_EQ(AsText(Plain("true")), std::nullopt);
  EXPECT_EQ(AsText(Plain("2026-12-31")), "2026-12-31");
}

TEST(ToJson, KeepsTypes) {
  const Tree tree = ParseTree(
      "{i: 5, big: 18446744073709551615, f: 2.0, e: 1e-3, b: true, n: null, t: ~, s: word, q: "
      "\"5\", "
      "o: 010, nan: .nan, inf: -.inf, list: [1, {a: b}], empty: {}}");
  ASSERT_FALSE(tree.error.has_value());
  EXPECT_EQ(ToJson(*tree.root).dump(),
            R"({"i":5,"big":18446744073709551615,"f":2.0,"e":0.001,"b":true,"n":null,"t":null,)"
            R"("s":"word","q":"5","o":"010","nan":"NaN","inf":"-Infinity","list":[1,{"a":"b"}],)"
            R"("empty":{}})");
}

TEST(TreeFromJson, IsTheTreeOfTheText) {
  for (const char* text :
       {R"({"a": [1, -2.5, 1e300, "x\"\\\n\u0001é", true, null, {}], "b": {"c": []}})",
        R"(["5", "true", "null", "none", "~", "", " "])"}) {
    const Json json = *ParseJson(text, "test");
    EXPECT_EQ(ToJson(*TreeFromJson(json)), json) << text;
    const Tree tree = ParseTree(json.dump());
    ASSERT_FALSE(tree.error.has_value()) << tree.error->message;
    EXPECT_EQ(ToJson(*tree.root), json) << text;
  }
}

TEST(Found, ShortensLongTextBetweenCharacters) {
  const std::string text = Found(Plain("a" + std::string(100, 'x') + "é"));
  EXPECT_LT(text.size(), 80u);
  std::string accents = "x";
  for (int i = 0; i < 60; ++i) accents += "é";
  const std::string shortened = Found(Plain(accents));
  EXPECT_FALSE(ParseTree("a: \"" + shortened + "\"").error.has_value()) << "no longer UTF-8";
}

}  // namespace
}  // namespace scm::experiment_file
