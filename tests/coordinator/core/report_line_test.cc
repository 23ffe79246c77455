#include "coordinator/core/report_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/utf8.h"

namespace scm::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;
using Kind = ReportLine::Kind;

ReportLine Read(const std::string& text) {
  const std::vector<ReportLine> lines = ReadReportLines(text + "\n");
  EXPECT_EQ(lines.size(), 1u) << text;
  return lines.empty() ? ReportLine() : lines[0];
}

TEST(ReportLine, EveryTypeOfTheProtocol) {
  struct Case {
    std::string line;
    Kind kind;
  };
  const Case cases[] = {
      {R"({"type":"started"})", Kind::kStarted},
      {R"({"type":"progress","step":3,"metrics":{"train_loss":1.5}})", Kind::kProgress},
      {R"({"type":"progress","step":3})", Kind::kProgress},
      {R"({"type":"validation","step":0,"metrics":{}})", Kind::kValidation},
      {R"({"type":"checkpoint","step":3,"dir":"x"})", Kind::kIgnored},
      {R"({"type":"artifact","name":"x","path":"x"})", Kind::kIgnored},
      {R"({"type":"a newer word","step":"x"})", Kind::kIgnored},
      {R"({"step":1})", Kind::kIgnored},
      {R"({"type":"stopped","step":3})", Kind::kStopped},
      {R"({"type":"done","summary":{}})", Kind::kDone},
      {R"({"type":"failed","kind":"bad_input","message":"x"})", Kind::kFailed},
  };
  for (const Case& c : cases) {
    const ReportLine line = Read(c.line);
    EXPECT_EQ(line.kind, c.kind) << c.line << line.problem;
    EXPECT_EQ(line.bytes, static_cast<int64_t>(c.line.size()) + 1);
  }
}

TEST(ReportLine, ANoteIsOneShortLine) {
  EXPECT_EQ(Read(R"({"type":"progress","step":3,"note":"layer 7"})").note, "layer 7");
  EXPECT_EQ(Read(R"({"type":"progress","step":3,"note":["x"]})").note, "");
  const std::string note = Read(absl::StrCat(R"({"type":"progress","step":3,"note":"a\n)",
                                             std::string(5000, 'x'), "\"}"))
                               .note;
  EXPECT_LE(note.size(), 400u);
  EXPECT_EQ(note.find('\n'), note.npos);
}

TEST(ReportLine, ValuesOfAValidation) {
  const ReportLine line =
      Read(R"({"type":"validation","step":50,"metrics":{"validation_loss":NaN,"own":"Infinity"},)"
           R"("counts":{"correct":5,"items":8,"chance":0.25}})");
  EXPECT_EQ(line.step, 50);
  ASSERT_EQ(line.metrics.size(), 2u);
  EXPECT_TRUE(std::isnan(*MetricOf(line, "validation_loss")));
  EXPECT_TRUE(std::isinf(*MetricOf(line, "own")));
  EXPECT_EQ(line.correct, 5);
  EXPECT_EQ(line.items, 8);
  EXPECT_EQ(line.chance, 0.25);
  EXPECT_EQ(line.deff, std::nullopt);
}

TEST(ReportLine, AStepIsAWholeNumber) {
  for (const char* good : {"0", "7", "7.0", "1e3", "1000000000000"}) {
    const ReportLine line = Read(absl::StrCat("{\"type\":\"progress\",\"step\":", good, "}"));
    EXPECT_EQ(line.kind, Kind::kProgress) << good << line.problem;
  }
  for (const char* bad : {"\"7\"", "-1", "7.5", "1e18", "1000000000000000000", "NaN", "Infinity",
                          "true", "[7]", "{}", "18446744073709551615", "1e400"}) {
    const ReportLine line = Read(absl::StrCat("{\"type\":\"validation\",\"step\":", bad, "}"));
    EXPECT_EQ(line.kind, Kind::kBad) << bad;
    EXPECT_THAT(line.problem, HasSubstr("validation")) << bad;
  }
  EXPECT_THAT(Read(R"({"type":"progress","step":"12"})").problem,
              StartsWith("progress: \"step\" is \"12\": expected a whole number from 0 to "
                         "1000000000000; the line: {\"type\""));
  EXPECT_THAT(Read(R"({"type":"progress"})").problem,
              StartsWith("progress: no \"step\": expected"));
}

TEST(ReportLine, WhatIsNoReportIsNamedInCleanText) {
  const std::string spanish = "x" + std::string(300, '\xf1');
  for (const std::string& text :
       {spanish, std::string("[1]"), std::string("{\"type\": \"progress\""), std::string("a\0b", 3),
        std::string("\x1b[2J\x07"), std::string(1 << 20, '[')}) {
    const ReportLine line = Read(text);
    EXPECT_EQ(line.kind, Kind::kBad);
    EXPECT_THAT(line.problem, StartsWith("not a JSON object"));
    EXPECT_EQ(FirstInvalidUtf8(line.problem), std::string::npos);
    EXPECT_EQ(line.problem.find('\x1b'), std::string::npos);
    EXPECT_LT(line.problem.size(), 600u);
  }
  EXPECT_EQ(Read(R"({"type":"progress","step":1,"metrics":[1]})").kind, Kind::kBad);
  EXPECT_EQ(Read(R"({"type":"validation","step":1,"counts":3})").kind, Kind::kBad);
}

TEST(ReportLine, ALastWordKeepsItsKindAndMessage) {
  const ReportLine lone =
      Read(R"({"type":"failed","kind":"out_of_memory","message":"cut \ud83d here \u001b[2J"})");
  EXPECT_EQ(lone.kind, Kind::kFailed);
  EXPECT_EQ(StringAt(lone.ending, "kind"), "out_of_memory");
  EXPECT_EQ(StringAt(lone.ending, "message"), "cut \uFFFD here \uFFFD[2J");
  const ReportLine bytes =
      Read("{\"type\":\"failed\",\"kind\":\"bad_input\",\"message\":\"caf\xe9\"}");
  EXPECT_EQ(StringAt(bytes.ending, "kind"), "bad_input");
  EXPECT_EQ(StringAt(bytes.ending, "message"), "caf\uFFFD");
  const ReportLine done = Read(R"({"type":"done","summary":{"note":"\udc00","final_step":7}})");
  EXPECT_EQ(done.kind, Kind::kDone);
  EXPECT_EQ(IntegerAt(MemberAt(done.ending, "summary"), "final_step", 0), 7);
  EXPECT_EQ(Read(R"({"type":"stopped","step":"seven"})").kind, Kind::kStopped);
  EXPECT_EQ(Read(R"({"type":"done"})").kind, Kind::kDone);
}

TEST(ReportLine, WhatIsKeptOfALastWordIsBounded) {
  std::string summary = R"({"first":1,"deep":)";
  absl::StrAppend(&summary, std::string(50, '['), std::string(50, ']'), ",\"long\":\"",
                  std::string(100000, 'x'), "\"");
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&summary, ",\"k", i, "\":{}");
  absl::StrAppend(&summary, ",\"stopped_early\":true}");
  const ReportLine line = Read(absl::StrCat("{\"type\":\"done\",\"summary\":", summary, "}"));
  EXPECT_EQ(line.kind, Kind::kDone);
  EXPECT_TRUE(line.summary_cut);
  const Json& kept = MemberAt(line.ending, "summary");
  EXPECT_LE(DumpJson(line.ending).size(), kMaxSummary + 100);
  EXPECT_EQ(IntegerAt(kept, "first", 0), 1);
  EXPECT_TRUE(MemberAt(kept, "long").is_null());
  const ReportLine message = Read(absl::StrCat(R"({"type":"failed","kind":"diverged","message":")",
                                               std::string(500000, 'y'), "\"}"));
  EXPECT_LT(DumpJson(message.ending).size(), 5000u);
  EXPECT_EQ(StringAt(message.ending, "kind"), "diverged");
  EXPECT_FALSE(Read(R"({"type":"done","summary":{"a":1}})").summary_cut);
}

TEST(ReportLine, MetricsBeyondTheBoundAreNamedAndThoseAskedForAreKept) {
  std::string metrics;
  for (int i = 0; i < 70; ++i) absl::StrAppend(&metrics, "\"m", i, "\":", i, ",");
  const ReportLine line = Read(absl::StrCat(
      R"({"type":"validation","step":1,"metrics":{)", metrics, "\"", std::string(65, 'n'),
      R"(":1,"text":"0.5","none":null,"":1,"validation_loss":0.5}})"));
  EXPECT_EQ(line.metrics.size(), kMaxMetricsPerReport + 1);
  EXPECT_EQ(MetricOf(line, "validation_loss"), 0.5);
  EXPECT_EQ(line.left_out_count, 6 + 1 + 1 + 1);
  EXPECT_THAT(line.left_out, testing::Contains("\"m64\" (beyond the first 64 of a report)"));
  EXPECT_THAT(line.left_out, testing::Contains("\"text\" (no number)"));
  EXPECT_THAT(line.left_out, testing::Contains("\"" + std::string(64 - 3, 'n') +
                                               "…\" (a name has 1 to 64 bytes)"));
}

TEST(ReportLine, NamesOfMetricsAreClean) {
  const ReportLine line =
      Read("{\"type\":\"progress\",\"step\":1,\"metrics\":{\"a\\u001b\":1,\"caf\xe9\":2}}");
  EXPECT_THAT(line.metrics, ElementsAre(Pair("a\uFFFD", 1), Pair("caf\uFFFD", 2)));
}

TEST(ReportLines, LinesWithoutEffectAreCountedTogether) {
  const std::string spool =
      "\n\nx\ny\nz\n{}\n{\"type\":\"new\"}\n{\"type\":\"started\"}\n{}\nhalf a line";
  const std::vector<ReportLine> lines = ReadReportLines(spool);
  ASSERT_EQ(lines.size(), 6u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(lines[i].kind, Kind::kBad);
  EXPECT_EQ(lines[1].lines, 1);
  EXPECT_EQ(lines[2].lines, 3);
  EXPECT_EQ(lines[2].bytes, 6);
  EXPECT_EQ(lines[3].kind, Kind::kIgnored);
  EXPECT_EQ(lines[3].lines, 2);
  EXPECT_EQ(lines[4].kind, Kind::kStarted);
  int64_t bytes = 0;
  for (const ReportLine& line : lines) bytes += line.bytes;
  EXPECT_EQ(bytes, static_cast<int64_t>(spool.rfind('\n')) + 1);
  EXPECT_EQ(ReadReportLines(std::string(1 << 20, '\n')).size(), 3u);
}

// Shapes of a line within the limit that a careless reader takes long for; what is kept of each is
// small. (Whoever makes it quadratic again waits here for minutes.)
TEST(ReportLines, EveryShapeOfALongLineIsReadAndLittleOfItKept) {
  constexpr size_t kSize = 1 << 20;
  const auto grown = [](const std::string& begin, const std::function<std::string(int)>& part,
                        const std::string& end) {
    std::string text = begin;
    for (int i = 0; text.size() + 64 < kSize; ++i) text += part(i);
    return text + end;
  };
  const auto keys = [](int i) { return absl::StrCat(i == 0 ? "" : ",", "\"k", i, "\":", i); };
  const auto values = [](int i) { return std::string(i == 0 ? "1" : ",1"); };
  const auto objects = [](int i) { return std::string(i == 0 ? "{}" : ",{}"); };
  const std::string lines[] = {
      grown(R"({"type":"progress","step":1,"metrics":{)", keys, "}}"),
      grown(R"({"type":"done","summary":{)", keys, "}}"),
      grown(R"({"type":"done","summary":{"a":[)", values, "]}}"),
      grown(R"({"type":"done","summary":{"a":[)", objects, "]}}"),
      grown(R"({"type":"done",)", keys, "}"),
      grown(R"({"type":"failed","kind":"x","message":")",
            [](int) { return std::string("\\ud83d"); }, "\"}"),
      grown(
          "", [](int) { return std::string("\xf1"); }, ""),
      grown(
          "{\"a\":", [](int) { return std::string("9"); }, "}"),
  };
  for (const std::string& text : lines) {
    ASSERT_LE(text.size(), kSize);
    const ReportLine line = Read(text);
    EXPECT_LE(line.metrics.size(), kMaxMetricsPerReport + 7);
    EXPECT_LE(DumpJson(line.ending).size() + line.problem.size(), kMaxSummary + 100)
        << text.substr(0, 60);
  }
}

}  // namespace
}  // namespace scm::core
