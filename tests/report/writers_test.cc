// The three texts of a report: self-contained, well-formed, and safe against what users write.
#include <cstdlib>
#include <regex>
#include <set>

#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "report/render.h"
#include "tests/report/example.h"
#include "tests/report/xml_check.h"

namespace scm::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kEvil[] =
    "</td><script>alert(1)</script>|x|\n# y `z` [l](http://e.example/) & \"q\" '\x02 ñ";

RenderedReport Render(const ExampleOptions& options, bool evaluate = true) {
  const Json evaluation = ExampleEvaluation(options);
  absl::StatusOr<RenderedReport> report =
      RenderReport(ExampleData(options), evaluate ? &evaluation : nullptr);
  EXPECT_TRUE(report.ok()) << report.status();
  return *std::move(report);
}

std::vector<std::pair<std::string, ExampleOptions>> Examples() {
  ExampleOptions go, bound, aborted, failed, small, evil;
  bound.seed_accuracy = 0.55;
  aborted.aborted_seed = 13;
  aborted.missing_baseline = "gpt-3.5";
  failed.failed_seed = 12;
  small.clusters = 8;
  small.latency_samples = 40;
  evil.name = evil.user_text = evil.missing_baseline = kEvil;
  evil.failed_seed = 12;
  return {{"go", go},         {"bound", bound}, {"aborted", aborted},
          {"failed", failed}, {"small", small}, {"evil", evil}};
}

// SCM_REPORT_EXAMPLES=DIRECTORY keeps what is rendered, to be looked at.
void Keep(const std::string& name, const RenderedReport& report) {
  const char* directory = std::getenv("SCM_REPORT_EXAMPLES");
  if (directory == nullptr) return;
  const std::string path = std::string(directory) + "/" + name;
  ASSERT_TRUE(MakeDirectories(path).ok());
  ASSERT_TRUE(WriteFileAtomically(path + "/report.html", report.html).ok());
  ASSERT_TRUE(WriteFileAtomically(path + "/report.md", report.markdown).ok());
  ASSERT_TRUE(WriteFileAtomically(path + "/report.json", report.json).ok());
}

TEST(WritersTest, HtmlIsWellFormedAndNeedsNoNetwork) {
  for (const auto& [name, options] : Examples()) {
    const RenderedReport report = Render(options);
    Keep(name, report);
    EXPECT_EQ(XmlError(report.html), "") << name;
    for (const char* reference :
         {"src=", "url(", "@import", "<link", "<script", "<iframe", "<img"}) {
      EXPECT_THAT(report.html, Not(HasSubstr(reference))) << name;
    }
    // Every link leads to a place in the page.
    const std::regex links("href=\"([^\"]*)\"");
    for (std::sregex_iterator it(report.html.begin(), report.html.end(), links), end; it != end;
         ++it) {
      const std::string target = (*it)[1];
      ASSERT_EQ(target[0], '#') << target;
      EXPECT_THAT(report.html, HasSubstr("id=\"" + target.substr(1) + "\"")) << name;
    }
  }
}

TEST(WritersTest, UsersTextIsTextEverywhere) {
  const RenderedReport report = Render(Examples().back().second);
  EXPECT_THAT(report.html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_THAT(report.html, HasSubstr("ñ"));
  // The experiment's file stands within a fence, where nothing is markup; it comes last.
  const size_t fence = report.markdown.find("\n````\n");
  ASSERT_NE(fence, std::string::npos);
  const std::string text = report.markdown.substr(0, fence);
  EXPECT_THAT(text, Not(HasSubstr("<script")));
  EXPECT_THAT(text, Not(HasSubstr("\n# y")));
  EXPECT_THAT(text, Not(HasSubstr(" [l](http")));
  const std::string code = report.markdown.substr(fence + 6);
  EXPECT_THAT(code, HasSubstr("  ```\n"));  // the file holds a fence of its own
  EXPECT_EQ(code.find("\n````\n"), code.size() - 7);
  EXPECT_TRUE(ParseJson(report.json, "report.json").ok());
}

TEST(WritersTest, NumbersStandRightAndNamesLeft) {
  const std::string html = Render({}).html;
  EXPECT_THAT(html, HasSubstr("<td class=\"n\">2000/2000</td>"));
  for (const char* name : {"<td>t-3 (chosen)</td>", "<td>t-2</td>", "<td>r-9</td>"}) {
    EXPECT_THAT(html, HasSubstr(name));
  }
}

TEST(WritersTest, MarkdownTablesHaveAsManyCellsAsColumns) {
  for (const auto& [name, options] : Examples()) {
    const std::string markdown = Render(options).markdown;
    size_t columns = 0, tables = 0;
    std::istringstream lines(markdown);
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line[0] != '|') {
        columns = 0;
        continue;
      }
      size_t bars = 0;
      for (size_t i = 0; i < line.size(); ++i)
        bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
      if (columns == 0) ++tables;
      if (columns != 0) {
        EXPECT_EQ(bars, columns) << name << ": " << line;
      }
      columns = bars;
    }
    EXPECT_GT(tables, 6u) << name;
    EXPECT_THAT(markdown, HasSubstr("**Decision: "));
  }
}

TEST(WritersTest, TheSameInputGivesTheSameBytes) {
  const RenderedReport first = Render({}), second = Render({});
  EXPECT_EQ(first.html, second.html);
  EXPECT_EQ(first.markdown, second.markdown);
  EXPECT_EQ(first.json, second.json);
}

// The shape that docs/report-data.md promises.
TEST(WritersTest, JsonHoldsWhatIsDocumented) {
  ExampleOptions options;
  options.aborted_seed = 13;
  const auto parsed = ParseJson(Render(options).json, "report.json");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Json& json = *parsed;
  EXPECT_EQ(json["version"], 1);
  for (const char* key : {"experiment", "demonstration", "decision", "headline", "reason", "advice",
                          "gates", "seeds", "tasks", "loss_reduction", "latency", "memory",
                          "limits", "cost", "stages", "runs", "certificates"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_TRUE(json["advice"].is_string());
  EXPECT_EQ(json["seeds"][2]["outcome"], "aborted_by_rule");
  EXPECT_EQ(json["seeds"][0]["outcome"], "trained");
  const Json& task = json["tasks"][0];
  for (const char* key : {"value", "low", "high", "confidence", "standard_error", "df", "variance",
                          "items", "clusters", "effective_clusters", "seeds", "cannot_be_judged",
                          "bootstrap", "without_aborted"}) {
    EXPECT_TRUE(task["score"].contains(key)) << key;
    EXPECT_TRUE(task["macro_f1"].contains(key)) << key;
    EXPECT_TRUE(task["comparisons"][0]["difference"].contains(key)) << key;
    EXPECT_TRUE(json["loss_reduction"].contains(key)) << key;
  }
  EXPECT_TRUE(task["comparisons"][0]["these_models_on_new_items"]["mcnemar"].is_array());
  EXPECT_EQ(task["comparisons"][0]["holm_p"], nullptr);
  for (const Json& gate : json["gates"]) {
    for (const char* key : {"name", "asked", "found", "low", "high", "result", "sentence"}) {
      EXPECT_TRUE(gate.contains(key)) << key;
    }
  }
}

TEST(WritersTest, SummaryIsTheDecision) {
  const Json summary = Render({}).summary;
  EXPECT_EQ(summary["decision"], "go");
  EXPECT_EQ(summary["gates"].size(), 4u);
  const Json open = Render({}, false).summary;
  EXPECT_EQ(open["decision"], nullptr);
  EXPECT_TRUE(open["gates"].empty());
}

}  // namespace
}  // namespace scm::report
