// The committed demonstration corpus is what the generator makes of the fact table, and it is what
// the quickstart needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "common/files.h"
#include "corpus/corpus_files.h"
#include "corpus/loader.h"
#include "corpus/quality.h"
#include "corpus/split.h"
#include "corpus/task_statistics.h"
#include "corpus/text.h"
#include "samples/generator/fact_table.h"
#include "samples/generator/make_corpus.h"

namespace scm::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPrimary[] = "jurisdiction_classification";
// samples/quickstart.yaml
constexpr SplitOptions kQuickstart = {0.6, 0.1, 0.3, 1};

const std::string& Samples() {
  static const std::string* const path = new std::string(SCM_SOURCE_DIR "/samples");
  return *path;
}

std::vector<samples::Fact> Facts() {
  return samples::ParseFactTable(ReadFile(Samples() + "/generator/facts.jsonl").value()).value();
}

const Corpus& SampleCorpus() {
  static const Corpus* const corpus = new Corpus(LoadCorpusOrError(Samples() + "/corpus").value());
  return *corpus;
}

TEST(SamplesTest, CommittedFilesAreTheGeneratorsByteForByte) {
  const std::map<std::string, std::string> made = samples::MakeSampleCorpus(Facts());
  std::set<std::string> names;
  for (const auto& [name, content] : made) {
    names.insert(name);
    const absl::StatusOr<std::string> committed = ReadFile(Samples() + "/corpus/" + name);
    ASSERT_TRUE(committed.ok()) << committed.status();
    EXPECT_TRUE(*committed == content)
        << "samples/corpus/" << name << " differs from what the generator makes; run\n"
        << "  scm-make-samples samples/generator/facts.jsonl samples/corpus";
  }
  const std::vector<std::string> committed = CorpusFiles(Samples() + "/corpus").value();
  EXPECT_EQ(std::set<std::string>(committed.begin(), committed.end()), names);
}

TEST(SamplesTest, LoadsWithoutAWarningAndPassesItsOwnDataCheck) {
  const CorpusLoad load = LoadCorpus(Samples() + "/corpus");
  EXPECT_TRUE(load.ok());
  EXPECT_TRUE(load.warnings.empty());
  EXPECT_TRUE(load.corpus.info.demonstration);
  EXPECT_THAT(load.corpus.info.note, HasSubstr("not the law"));
  const QualityReport report =
      CheckQuality(load.corpus, AssignSplits(load.corpus, kQuickstart).value());
  EXPECT_THAT(report.Messages(Severity::kError), ElementsAre());
  EXPECT_THAT(report.Messages(Severity::kWarning), ElementsAre());
}

TEST(SamplesTest, CoversFourJurisdictionsFourDomainsFourTasks) {
  std::map<std::string, std::set<std::string>> domains;
  for (const Document& document : SampleCorpus().documents) {
    domains[document.jurisdiction].insert(document.domain);
  }
  EXPECT_EQ(domains.size(), 4u);
  for (const auto& [jurisdiction, found] : domains) EXPECT_EQ(found.size(), 4u) << jurisdiction;
  EXPECT_EQ(SampleCorpus().TaskNames().size(), 4u);
}

TEST(SamplesTest, TheSplitLeavesEnoughToJudge) {
  const SplitAssignment split = AssignSplits(SampleCorpus(), kQuickstart).value();
  for (const std::string& task : SampleCorpus().TaskNames()) {
    const ItemSetStatistics test =
        SingleLabelStatistics(SampleCorpus(), ItemsOf(SampleCorpus(), split, Split::kTest, {task}));
    if (test.items == 0) continue;  // multi-label
    EXPECT_GE(test.clusters, 10) << task;
    EXPECT_GE(test.effective_clusters, 5) << task;
  }
  EXPECT_GE(ItemsOf(SampleCorpus(), split, Split::kTest, {kPrimary}).size(), 40u);
  EXPECT_GE(ItemsOf(SampleCorpus(), split, Split::kValidation, {kPrimary}).size(), 16u);
}

TEST(SamplesTest, PromptsAreShortAndThePrimaryTaskIsNoStringMatching) {
  for (const Item& item : SampleCorpus().items) {
    EXPECT_LE(CodePoints(item.prompt), 260) << item.id;
    if (item.task != kPrimary) continue;
    const std::string folded = Fold(item.prompt);
    for (const std::string& choice : item.choices) {
      EXPECT_FALSE(absl::StrContains(folded, Fold(choice))) << item.id;
    }
  }
}

TEST(SamplesTest, ItemsAreOpenBook) {
  std::map<std::string, const samples::Fact*> facts;
  const std::vector<samples::Fact> table = Facts();
  for (const samples::Fact& fact : table) facts[fact.id] = &fact;
  for (const Item& item : SampleCorpus().items) {
    const auto fact = facts.find(item.id.substr(0, item.id.find('.')));
    ASSERT_NE(fact, facts.end()) << item.id;
    EXPECT_EQ(item.document, fact->second->document);
    EXPECT_EQ(item.cluster_id, item.document);
    if (item.task == kPrimary) continue;
    EXPECT_TRUE(absl::StartsWith(item.prompt, fact->second->statements.front())) << item.id;
  }
}

TEST(FactTableTest, NamesEveryProblem) {
  const std::string good = ReadFile(Samples() + "/generator/facts.jsonl").value();
  const std::string first = good.substr(0, good.find('\n'));
  Json other = ParseJson(first, "line").value();
  other["status"] = "guessed";
  other["domain"] = "another";
  other["statements"].push_back("Rige en Chile.");
  other["violates"] = Json::array();
  other["colour"] = "red";
  other.erase("question");
  const absl::Status status =
      samples::ParseFactTable(first + "\n" + other.dump() + "\nnothing\n").status();
  const std::string message(status.message());
  for (const char* expected :
       {"line 2: status: expected checked or confident", "line 2: id: is doubled",
        "line 2: document: has another", "line 2: statements: names a country: Rige en Chile.",
        "line 2: violates: expected as many", "line 2: colour: unknown key",
        "line 2: question: expected a text", "line 3: not valid JSON"}) {
    EXPECT_THAT(message, HasSubstr(expected));
  }
  EXPECT_THAT(std::string(samples::ParseFactTable("").status().message()), HasSubstr("no facts"));
}

}  // namespace
}  // namespace scm::corpus
