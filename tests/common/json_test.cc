#include "common/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(ParseJson, KeepsTheOrderOfKeys) {
  const absl::StatusOr<Json> json = ParseJson(R"({"z": 1, "a": [true, null, "x"]})", "test");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->dump(), R"({"z":1,"a":[true,null,"x"]})");
}

TEST(ParseReportJson, UnderstandsTheBareNonFiniteTokensOfPython) {
  const absl::StatusOr<Json> json =
      ParseReportJson(R"({"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \" Infinity"})", "test");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)["a"], "NaN");
  EXPECT_EQ((*json)["b"][0], "Infinity");
  EXPECT_EQ((*json)["b"][1], "-Infinity");
  EXPECT_EQ((*json)["c"], "NaN \" Infinity") << "text must be left alone";
}

TEST(ParseReportJson, ALastWordKeepsItsKindAndMessage) {
  struct Case {
    std::string message, expected;
  };
  const Case cases[] = {
      {R"(lone \ud83d high)", "lone \uFFFD high"},
      {R"(lone \ude00 low)", "lone \uFFFD low"},
      {R"(a pair \ud83d\ude00 stays)", "a pair \U0001F600 stays"},
      {R"(\ud83d\ud83d\ude00)", "\uFFFD\U0001F600"},
      {R"(a backslash \\ud83d)", "a backslash \\ud83d"},
      {"cut at byte 200: Espa\xc3", "cut at byte 200: Espa\uFFFD"},
  };
  for (const Case& c : cases) {
    const auto json = ParseReportJson(
        R"({"type":"failed","kind":"bad_input","message":")" + c.message + "\"}", "t");
    ASSERT_TRUE(json.ok()) << c.message << json.status();
    EXPECT_EQ((*json)["kind"], "bad_input");
    EXPECT_EQ((*json)["message"], c.expected);
  }
}

TEST(ParseJson, LeniencyBelongsToTrainersReportsAlone) {
  for (const char* text : {"NaN", "[Infinity]", "{\"a\": -Infinity}", "\"\\ud83d\"", "\"\xc3\""}) {
    EXPECT_FALSE(ParseJson(text, "corpus").ok()) << text;
    EXPECT_FALSE(ParseSortedJson(text, "header").ok()) << text;
    EXPECT_TRUE(ParseReportJson(text, "report").ok()) << text;
  }
}

TEST(ParseJson, NamesTheKeyAndWhatStandsThere) {
  struct Case {
    std::string text, message;
  };
  const Case cases[] = {
      {R"({"id": "a", "prompt": NaN})",
       "line: prompt: NaN is no JSON; a value is missing there: write it, or leave the key out"},
      {R"({"choices": ["x", "y", NaN]})", "line: choices[2]: NaN is no JSON"},
      {R"({"a": [[1], [2, nan]]})", "line: a[1][1]: nan is no JSON"},
      {R"({"gold": -Infinity})", "line: gold: Infinity is no JSON"},
      {R"({"x": {"y": None}})", "line: x.y: None is no JSON"},
      {R"({"demonstration": True})", "line: demonstration: True is no JSON; write true or false"},
      {R"({"a": 1, "b": ])", "line: not valid JSON at byte 15 (at b): syntax error while parsing"},
      {"NaN", "line: NaN is no JSON"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(std::string(ParseJson(c.text, "line").status().message()),
                testing::StartsWith(c.message));
  }
}

TEST(CleanTexts, ShowsWhatSteersATerminalAndKeepsKeysApart) {
  const Json clean = CleanTexts(*ParseJson(
      R"({"a\u001b": ["\u001b[2J", 1, null], "a\u0007": 2, "n": {"t": "two\nlines"}})", "t"));
  EXPECT_EQ(DumpJson(clean), "{\"a\uFFFD\":[\"\uFFFD[2J\",1,null],\"n\":{\"t\":\"two\\nlines\"}}");
}

TEST(ParseJson, ANulByteDoesNotEndTheText) {
  for (const auto& parse : {&ParseJson, &ParseReportJson}) {
    for (const std::string& text : {std::string("{\"a\": 1}\0{\"b\": 2}", 17),
                                    std::string("{\"a\": 1}\0", 9), std::string("\0 1", 3)}) {
      EXPECT_THAT((*parse)(text, "line 3", {}).status().message(), HasSubstr("a NUL byte"));
    }
  }
}

TEST(ParseJson, StopsAtTheLimitOfValues) {
  EXPECT_TRUE(ParseJson("[1,[2],3]", "test", {.values = 5}).ok());
  EXPECT_THAT(ParseJson("[1,[2],3]", "test", {.values = 4}).status().message(),
              HasSubstr("more than 4 values"));
}

// Counts instead of seconds: every key is looked at a bounded number of times.
TEST(ParseJson, ManyKeysKeepTheirOrderAndDoublesAreFoundAmongThem) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) absl::StrAppend(&text, i == 0 ? "" : ",", "\"k", i, "\":", i);
  const absl::StatusOr<Json> json = ParseJson(text + "}", "test");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->size(), 200000u);
  EXPECT_EQ(std::prev(json->end()).key(), "k199999");
  EXPECT_THAT(ParseJson(text + ",\"k7\":1}", "test").status().message(),
              HasSubstr("key \"k7\" is doubled"));
}

TEST(DumpJson, CannotThrow) {
  EXPECT_EQ(DumpJson(Json{{"path", "caf\xe9"}}), "{\"path\":\"caf\uFFFD\"}");
  EXPECT_EQ(DumpJson(SortedJson{{"b", 1}, {"a", 2}}, 1), "{\n \"a\": 2,\n \"b\": 1\n}");
}

TEST(ParseJson, RefusesWithTheNameOfTheText) {
  struct Case {
    std::string text, message;
  };
  const Case cases[] = {
      {"", "line 3"},
      {"{\"a\": }", "line 3"},
      {"{\"a\": 1} x", "line 3"},
      {"{\"a\": 1, \"a\": 2}", "key \"a\" is doubled"},
      {"[{\"a\": {\"b\": 1, \"b\": 2}}]", "key \"b\" is doubled"},
      {std::string(65, '[') + std::string(65, ']'), "nested deeper than 64"},
      {"\"\xff\"", "line 3"},
      {"nul", "line 3"},
      {"[1,]", "line 3"},
  };
  for (const Case& c : cases) {
    const absl::StatusOr<Json> json = ParseJson(c.text, "line 3");
    EXPECT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_THAT(json.status().message(), HasSubstr(c.message)) << c.text;
  }
}

TEST(ParseJson, TheSameKeyInTwoObjectsIsNoDouble) {
  EXPECT_TRUE(ParseJson(R"([{"a": 1}, {"a": 2, "b": {"a": 3}}])", "test").ok());
}

TEST(ParseJson, NestingUpToTheLimitAndBracketsInTextAreAllowed) {
  EXPECT_TRUE(ParseJson(std::string(64, '[') + std::string(64, ']'), "test").ok());
  EXPECT_TRUE(ParseJson(absl::StrCat("\"", std::string(1000, '['), "\""), "test").ok());
}

TEST(JsonNumber, NonFiniteNumbersSurviveTheRoundTrip) {
  for (double value : {0.0, -1.5, 1e300, kInf, -kInf}) {
    EXPECT_EQ(NumberFromJson(*ParseJson(JsonNumber(value).dump(), "test")), value);
  }
  const std::optional<double> nan = NumberFromJson(JsonNumber(kNan));
  ASSERT_TRUE(nan.has_value());
  EXPECT_TRUE(std::isnan(*nan));
}

TEST(NumberFromJson, OtherTypesAreNoNumbers) {
  for (const char* text : {"\"1\"", "true", "null", "[]", "{}", "\"nan\""}) {
    EXPECT_EQ(NumberFromJson(*ParseJson(text, "test")), std::nullopt) << text;
  }
}

TEST(MemberAccess, GivesTheDefaultForWhatIsMissingOrOfAnotherType) {
  const Json json = *ParseJson(
      R"({"s": "x", "n": 1.5, "i": 7, "b": true, "null": null, "inf": "Infinity"})", "test");
  EXPECT_EQ(StringAt(json, "s", "d"), "x");
  EXPECT_EQ(StringAt(json, "n", "d"), "d");
  EXPECT_EQ(StringAt(json, "missing", "d"), "d");
  EXPECT_EQ(NumberAt(json, "n", 9), 1.5);
  EXPECT_EQ(NumberAt(json, "inf", 9), kInf);
  EXPECT_EQ(NumberAt(json, "null", 9), 9);
  EXPECT_EQ(IntegerAt(json, "i", 9), 7);
  EXPECT_EQ(IntegerAt(json, "inf", 9), 9);
  EXPECT_EQ(IntegerAt(json, "s", 9), 9);
  EXPECT_TRUE(BoolAt(json, "b", false));
  EXPECT_FALSE(BoolAt(json, "i", false));
  EXPECT_TRUE(MemberAt(json, "missing").is_null());
  EXPECT_TRUE(MemberAt(Json::array(), "s").is_null());
}

}  // namespace
}  // namespace scm
