// What stands on the first page, in the order in which a reader needs it.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "report/document.h"
#include "tests/report/example.h"

namespace scm::report {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ReportDocument Document(const ExampleOptions& options, bool evaluate = true) {
  const Json evaluation = ExampleEvaluation(options);
  absl::StatusOr<Findings> findings =
      ComputeFindings(ExampleData(options), evaluate ? &evaluation : nullptr);
  EXPECT_TRUE(findings.ok()) << findings.status();
  return LayOut(*findings);
}

std::vector<std::string> FirstPageHeadings(const ReportDocument& document) {
  std::vector<std::string> headings;
  for (const Block& block : document.blocks) {
    if (block.kind == Block::Kind::kPart) break;
    if (block.kind == Block::Kind::kHeading) headings.push_back(block.text);
  }
  return headings;
}

// The entries of lists under a heading.
std::vector<std::string> Entries(const ReportDocument& document, const std::string& heading) {
  std::vector<std::string> entries;
  bool inside = false;
  for (const Block& block : document.blocks) {
    const bool starts = block.kind == Block::Kind::kHeading || block.kind == Block::Kind::kPart;
    if (starts) inside = block.text == heading;
    if (!inside || block.kind == Block::Kind::kTable) continue;
    for (const auto& row : block.rows) entries.push_back(row[0]);
    if (block.kind == Block::Kind::kText) entries.push_back(block.text);
  }
  return entries;
}

const Block* TableAfter(const ReportDocument& document, const std::string& heading) {
  bool inside = false;
  for (const Block& block : document.blocks) {
    if (block.kind == Block::Kind::kHeading) inside = block.text == heading;
    if (inside && block.kind == Block::Kind::kTable) return &block;
  }
  return nullptr;
}

TEST(PageTest, TheFirstPageComesInOrder) {
  ExampleOptions options;
  options.seed_accuracy = 0.55;
  const ReportDocument document = Document(options);
  EXPECT_EQ(document.decision, "NO-GO");
  EXPECT_THAT(FirstPageHeadings(document),
              ElementsAre("Gates", "What was trained", "Learning curves", "Against the baselines",
                          "What failed and what was aborted", "What would change it",
                          "Limits of this result"));
  ASSERT_EQ(document.blocks[0].kind, Block::Kind::kText);
  EXPECT_THAT(document.blocks[0].text, HasSubstr("Accuracy on legal_reasoning is"));
  EXPECT_THAT(
      document.blocks[2].text,
      Eq("5 of 5 seeds finished · 1 run aborted, $1.27 and 31 min saved · 0 failed · $61.40 "
         "spent of $200.00"));
}

TEST(PageTest, GatesSayAskedFoundBoundAndResult) {
  ExampleOptions options;
  options.seed_accuracy = 0.55;
  options.latency_samples = 100;
  const ReportDocument document = Document(options);
  const Block* gates = TableAfter(document, "Gates");
  ASSERT_NE(gates, nullptr);
  ASSERT_EQ(gates->rows.size(), 4u);
  EXPECT_EQ(gates->rows[0][0], "loss reduction");
  EXPECT_EQ(gates->rows[0][1], "> 0.5");
  EXPECT_EQ(gates->rows[0][4], "✓ met");
  EXPECT_EQ(gates->rows[1][4], "✗ not met");
  EXPECT_THAT(gates->rows[1][3], HasSubstr(" to "));
  EXPECT_EQ(gates->rows[2][2], "p < 0.001");
  EXPECT_THAT(gates->rows[2][3], HasSubstr("points"));
  EXPECT_EQ(gates->rows[3][4], "? cannot be judged");
  EXPECT_EQ(gates->rows[3][3], "–");
}

TEST(PageTest, EveryFigureHasItsTable) {
  const ReportDocument document = Document({});
  std::vector<std::string> figures, tables;
  for (const Block& block : document.blocks) {
    if (block.kind == Block::Kind::kFigure) figures.push_back(block.table);
    if (block.kind == Block::Kind::kTable && !block.table.empty()) tables.push_back(block.table);
  }
  EXPECT_EQ(figures.size(), 4u);
  for (const std::string& figure : figures) EXPECT_THAT(tables, Contains(figure));
}

TEST(PageTest, CurvesShowEverySeedAndTheLeastThatGuessingGives) {
  const ReportDocument document = Document({});
  int charts = 0;
  for (const Block& block : document.blocks) {
    if (block.kind != Block::Kind::kFigure || block.svg.find("validation") == std::string::npos) {
      continue;
    }
    ++charts;
    for (const char* seed : {"seed 11", "seed 12", "seed 13", "seed 14", "seed 15"}) {
      EXPECT_THAT(block.svg, HasSubstr(std::string(">") + seed + "<"));
    }
    if (block.svg.find("accuracy") != std::string::npos) {
      EXPECT_THAT(block.svg, HasSubstr("rarest answer 0.25"));
    }
  }
  EXPECT_EQ(charts, 2);
}

TEST(PageTest, AbortedAndFailedRunsAreOnTheFirstPage) {
  ExampleOptions options;
  options.aborted_seed = 13;
  options.failed_seed = 15;
  options.user_text = "the worker's disk was full";
  const auto entries = Entries(Document(options), "What failed and what was aborted");
  EXPECT_EQ(entries.size(), 3u);
  EXPECT_THAT(entries, Contains(HasSubstr("r-7 (sweep, seed 1, training.learning_rate 1.0")));
  EXPECT_THAT(entries, Contains(HasSubstr("Saved: 1000 steps, 31 min, $1.27.")));
  EXPECT_THAT(entries, Contains(HasSubstr("r-13 (replicate, seed 13")));
  EXPECT_THAT(entries, Contains(HasSubstr("was FAILED at step 600 of 2000: the worker's disk")));
}

TEST(PageTest, NothingAbortedIsSaid) {
  ExampleOptions options;
  const Json evaluation = ExampleEvaluation(options);
  Json data = ExampleData(options);
  data["runs"].erase(0);
  data["certificates"] = Json::array();
  const auto findings = ComputeFindings(data, &evaluation);
  EXPECT_THAT(Entries(LayOut(*findings), "What failed and what was aborted"),
              ElementsAre("Nothing failed and nothing was aborted."));
}

TEST(PageTest, AMissingBaselineIsNamedBesideTheIntervals) {
  ExampleOptions options;
  options.missing_baseline = "gpt-3.5";
  EXPECT_THAT(Entries(Document(options), "Against the baselines"),
              Contains("legal_reasoning vs gpt-3.5 is missing: gpt35.jsonl: No such file"));
}

TEST(PageTest, WithoutEvaluationThereAreCurvesAndRunsButNoGates) {
  const ReportDocument document = Document({}, false);
  EXPECT_EQ(document.decision, "NOT JUDGED");
  EXPECT_THAT(FirstPageHeadings(document),
              ElementsAre("What was trained", "Learning curves", "What failed and what was aborted",
                          "Limits of this result"));
  EXPECT_NE(TableAfter(document, "Stages and runs"), nullptr);
}

TEST(PageTest, MissingNumbersAreDashesAndNeverZeroOrNan) {
  ExampleOptions options;
  options.clusters = 8;
  options.missing_baseline = "gpt-3.5";
  options.latency_samples = 0;
  for (const Block& block : Document(options).blocks) {
    for (const auto& row : block.rows) {
      for (const std::string& cell : row) {
        EXPECT_THAT(cell, Not(AnyOf(HasSubstr("nan"), HasSubstr("NaN")))) << block.text;
      }
    }
  }
}

TEST(PageTest, AStageThatFailedIsNamedEvenWithoutARun) {
  const ExampleOptions options;
  Json data = ExampleData(options);
  data["stages"].push_back(
      {{"name", "evaluate"}, {"state", "FAILED"}, {"reason", "seed 11 FAILED, out_of_memory."}});
  // A stage whose runs say it themselves is not named twice.
  data["stages"].push_back({{"name", "sweep"}, {"state", "FAILED"}, {"reason", "none survived"}});
  const auto findings = ComputeFindings(data, nullptr);
  EXPECT_THAT(Entries(LayOut(*findings), "What failed and what was aborted"),
              ElementsAre(HasSubstr("r-7 (sweep"),
                          "The stage evaluate was FAILED: seed 11 FAILED, out_of_memory."));
}

TEST(PageTest, EveryTrialAndTheChosenOneAreInTheDetails) {
  const ReportDocument document = Document({});
  const Block* sweep = TableAfter(document, "Sweep");
  ASSERT_NE(sweep, nullptr);
  ASSERT_EQ(sweep->rows.size(), 3u);
  EXPECT_THAT(sweep->rows[0], ElementsAre("t-3 (chosen)", "r-9", "training.learning_rate 0.0003",
                                          "0.62", "2000", "SUCCEEDED", "2000/2000", "finished"));
  EXPECT_THAT(sweep->rows[2], ElementsAre("t-1", "r-7", "training.learning_rate 1.0", "–", "–",
                                          "ABORTED", "1000/2000", "no convergence"));
}

TEST(PageTest, TheFileAndEveryWarningAreInTheDetails) {
  const ReportDocument document = Document({});
  ASSERT_EQ(document.blocks.back().kind, Block::Kind::kCode);
  EXPECT_EQ(document.blocks.back().text, "name: scm-legal-1b\nnote: |\n  ```\n  plain\n");
  const Block* checks = TableAfter(document, "Checks before training");
  ASSERT_NE(checks, nullptr);
  ASSERT_EQ(checks->rows.size(), 3u);
  EXPECT_THAT(
      checks->rows[2],
      ElementsAre("warning", "–", "12 of 340 train examples are longer than data.max_length 512"));
}

TEST(PageTest, ACaptionSpeaksOnlyOfWhatItsFigureShows) {
  Json data = ExampleData({});
  for (Json& run : data["runs"]) run.erase("chance");
  const auto findings = ComputeFindings(data, nullptr);
  int captions = 0;
  for (const Block& block : LayOut(*findings).blocks) {
    if (block.kind != Block::Kind::kFigure) continue;
    ++captions;
    EXPECT_THAT(block.text, Not(HasSubstr("dotted")));
  }
  EXPECT_EQ(captions, 2);
}

TEST(PageTest, AbortedSeedsAreShownWithAndWithout) {
  ExampleOptions options;
  options.aborted_seed = 13;
  for (const Block& block : Document(options).blocks) {
    if (block.header.size() != 3 || block.header[2] != "left out") continue;
    EXPECT_EQ(block.rows.size(), 7u);  // loss, and score, F1 and difference of two tasks
    return;
  }
  FAIL() << "no table of results without the aborted seed";
}

}  // namespace
}  // namespace scm::report
