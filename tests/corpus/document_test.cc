// docs/corpus.md against the loader: its example loads, every key that it names is known, what it
// calls required is, and no key or check is left out of it.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "corpus/loader.h"
#include "corpus/predictions.h"
#include "corpus/quality.h"
#include "corpus/split.h"
#include "tests/corpus/corpus_on_disk.h"

namespace scm::corpus {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

std::string CorpusPage() {
  const absl::StatusOr<std::string> text = ReadFile(SCM_SOURCE_DIR "/docs/corpus.md");
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

// The block of JSON behind `heading`.
std::string ExampleBehind(const std::string& heading) {
  const std::string document = CorpusPage();
  const std::string fence = "```json\n";
  const size_t begin = document.find(fence, document.find(heading)) + fence.size();
  return document.substr(begin, document.find("```", begin) - begin);
}

struct Row {
  std::string type, need;
};

// The rows of the table behind a heading: key → its cells.
std::map<std::string, Row> Table(const std::string& heading) {
  const std::string document = CorpusPage();
  const size_t begin = document.find("\n## " + heading + "\n");
  EXPECT_NE(begin, document.npos) << heading;
  const std::string chapter = document.substr(begin, document.find("\n## ", begin + 1) - begin);
  std::map<std::string, Row> rows;
  for (absl::string_view line : absl::StrSplit(chapter, '\n')) {
    if (!absl::StartsWith(line, "| `")) continue;
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    for (std::string& cell : cells) cell = std::string(absl::StripAsciiWhitespace(cell));
    if (cells.size() < 5) {
      ADD_FAILURE() << line;
      continue;
    }
    for (absl::string_view key : absl::StrSplit(cells[1], ", ")) {
      rows[std::string(absl::StripSuffix(absl::StripPrefix(key, "`"), "`"))] = {cells[2], cells[3]};
    }
  }
  return rows;
}

std::vector<std::string> KeysOf(const std::map<std::string, Row>& rows) {
  std::vector<std::string> keys;
  for (const auto& [key, row] : rows) keys.push_back(key);
  return keys;
}

std::vector<std::string> Told(const std::vector<CorpusProblem>& problems) {
  std::vector<std::string> lines;
  for (const CorpusProblem& problem : problems) lines.push_back(FormatCorpusProblem(problem));
  return lines;
}

CorpusLoad LoadWith(const std::string& document, const std::string& item,
                    const std::string& info = "{}") {
  const CorpusOnDisk disk(
      {{"documents/a.jsonl", document}, {"items/a.jsonl", item}, {"corpus.json", info}});
  return LoadCorpus(disk.path());
}

// A line that has every documented key, from the example of the corpus on disk.
Json EveryItemKey() {
  Json item = ItemJson("i", "d");
  item["split"] = "test";
  return item;
}
Json EveryInfoKey() {
  return {{"name", "n"},
          {"demonstration", true},
          {"note", "x"},
          {"as_of", "2026-01-31"},
          {"accept", {"empty_split"}}};
}

TEST(CorpusDocument, ItsExampleLoadsAndIsSplitAsItSays) {
  const CorpusOnDisk disk({{"documents/rules.jsonl", ExampleBehind("`documents/rules.jsonl`")},
                           {"items/questions.jsonl", ExampleBehind("`items/questions.jsonl`")},
                           {"corpus.json", ExampleBehind("\n`corpus.json`\n")}});
  const CorpusLoad load = LoadCorpus(disk.path());
  EXPECT_THAT(Told(load.errors), IsEmpty());
  EXPECT_THAT(Told(load.warnings), IsEmpty());
  const Corpus& corpus = load.corpus;
  ASSERT_EQ(corpus.items.size(), 3u);
  EXPECT_EQ(corpus.items[0].cluster_id, "es-1");
  EXPECT_EQ(corpus.items[1].cluster_id, "meetings");
  EXPECT_TRUE(corpus.items[2].multi_label);
  EXPECT_TRUE(corpus.info.demonstration);
  const auto assignment = AssignSplits(corpus, {});
  ASSERT_TRUE(assignment.ok());
  EXPECT_EQ(assignment->items[2], Split::kTest);

  std::vector<const Item*> items;
  for (const Item& item : corpus.items) items.push_back(&item);
  const PredictedAnswers read =
      ReadPredictions(ExampleBehind("## Predictions of another system"), "p", items);
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.answers.size(), 2u);
}

TEST(CorpusDocument, ItsConversationLoads) {
  const CorpusLoad load =
      LoadWith(ExampleBehind("`documents/rules.jsonl`"), ExampleBehind("### Conversations"));
  EXPECT_THAT(Told(load.errors), IsEmpty());
  EXPECT_THAT(Told(load.warnings), IsEmpty());
  ASSERT_EQ(load.corpus.items.size(), 1u);
  EXPECT_EQ(load.corpus.items[0].messages.size(), 3u);
}

TEST(CorpusDocument, NamesExactlyTheKeysThatTheLoaderKnows) {
  const struct {
    const char* heading;
    Json every;
  } tables[] = {{"Documents", DocumentJson("d")},
                {"Items", EveryItemKey()},
                {"`corpus.json`", EveryInfoKey()}};
  for (const auto& table : tables) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : table.every.items()) keys.push_back(key);
    // It stands instead of others, so no line has them all.
    if (absl::string_view(table.heading) == "Items") keys.push_back("messages");
    EXPECT_THAT(KeysOf(Table(table.heading)), UnorderedElementsAreArray(keys)) << table.heading;
  }
  // The loader knows all of them: none is warned about.
  EXPECT_THAT(Told(LoadWith(DocumentJson("d").dump(), EveryItemKey().dump(), EveryInfoKey().dump())
                       .warnings),
              IsEmpty());
}

TEST(CorpusDocument, CallsRequiredWhatTheLoaderCannotDoWithout) {
  for (const auto& [key, row] : Table("Documents")) {
    const CorpusLoad load = LoadWith(With(DocumentJson("d"), key, nullptr), "");
    const std::string lacks = absl::StrCat("documents/a.jsonl:1: ", key, ": missing");
    EXPECT_EQ(row.need == "required",
              absl::StrContains(absl::StrJoin(Told(load.errors), "\n"), lacks))
        << key;
  }
  for (const auto& [key, row] : Table("Items")) {
    const CorpusLoad load = LoadWith(DocumentJson("d").dump(), With(EveryItemKey(), key, nullptr));
    const std::string lacks = absl::StrCat("items/a.jsonl:1: ", key, ": missing");
    EXPECT_EQ(row.need == "required",
              absl::StrContains(absl::StrJoin(Told(load.errors), "\n"), lacks))
        << key;
  }
}

TEST(CorpusDocument, SaysTheTypesThatTheLoaderTakes) {
  for (const auto& [key, row] : Table("Items")) {
    // A number is none of the texts, days and ids; a text is no list and no index.
    const Json wrong =
        row.type == "list of texts" || absl::StartsWith(row.type, "index") ? Json("text") : Json(7);
    const CorpusLoad load = LoadWith(DocumentJson("d").dump(), With(EveryItemKey(), key, wrong));
    EXPECT_THAT(Told(load.errors),
                testing::Contains(HasSubstr(absl::StrCat("items/a.jsonl:1: ", key, ": "))))
        << key << " as " << wrong;
    // And a text is no wrong type where it says text.
    if (row.type != "text" && row.type != "id") continue;
    const CorpusLoad right = LoadWith(DocumentJson("d").dump(), With(EveryItemKey(), key, "x"));
    for (const std::string& problem : Told(right.errors)) {
      if (key != "document") ADD_FAILURE() << key << ": " << problem;
    }
  }
}

TEST(CorpusDocument, ListsEveryDataCheckWithItsSeverity) {
  // Two of everything that is wrong, so that every check finds something.
  std::string documents, items;
  const auto item = [&](const std::string& id, const std::string& document, Json more) {
    Json one = ItemJson(id, document);
    one.update(more);
    items += one.dump() + "\n";
  };
  std::string words;
  for (int i = 0; i < 20; ++i) absl::StrAppend(&words, "wort", i, " ");
  for (const char* id : {"a", "b", "c"}) {
    Json one = DocumentJson(id);
    one["text"] = words + id;
    one.erase("as_of");
    one.erase("language");
    documents += one.dump() + "\n";
  }
  for (int i = 0; i < 40; ++i) {
    item(absl::StrCat("a", i), "a",
         {{"split", "train"},
          {"prompt", absl::StrCat(words, "frage ", i)},
          {"choices", {"a long answer", "no"}}});
  }
  item("t1", "b",
       {{"split", "test"},
        {"prompt", absl::StrCat(words, "frage 1")},
        {"choices", {"a long answer", "no"}},
        {"gold", 1}});
  item("t2", "b", {{"split", "train"}, {"choices", {"a long answer", "no"}}});
  const CorpusLoad load = LoadWith(documents, items);
  ASSERT_THAT(Told(load.errors), IsEmpty());
  const auto assignment = AssignSplits(load.corpus, {});
  ASSERT_TRUE(assignment.ok());
  std::set<std::string> found;
  const std::map<std::string, Row> rows = Table("The data checks");
  for (const Finding& finding : CheckQuality(load.corpus, *assignment).findings) {
    found.insert(finding.check);
    const auto row = rows.find(finding.check);
    ASSERT_NE(row, rows.end()) << finding.check << " is not documented";
    const std::string cell =
        finding.severity == Severity::kError ? row->second.type : row->second.need;
    EXPECT_THAT(cell, testing::ContainsRegex("[a-z]")) << finding.check;
  }
  EXPECT_THAT(std::vector<std::string>(found.begin(), found.end()),
              UnorderedElementsAreArray(KeysOf(rows)));
}

}  // namespace
}  // namespace scm::corpus
