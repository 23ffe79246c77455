// docs/experiment-file.md against the code: its examples are valid, and no key is left out of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "experiment/key_list.h"
#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::IsEmpty;

std::string Document() {
  const absl::StatusOr<std::string> text = ReadFile(SCM_SOURCE_DIR "/docs/experiment-file.md");
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

std::vector<std::string> YamlExamples(const std::string& document) {
  constexpr absl::string_view kBegin = "```yaml\n", kEnd = "\n```";
  std::vector<std::string> examples;
  size_t at = 0;
  while ((at = document.find(kBegin.data(), at, kBegin.size())) != std::string::npos) {
    at += kBegin.size();
    const size_t end = document.find(kEnd.data(), at, kEnd.size());
    examples.push_back(document.substr(at, end - at + 1));
  }
  return examples;
}

// The part of the document about one section.
std::string Chapter(const std::string& document, const std::string& section) {
  const size_t begin = document.find("\n## `" + section + "`\n");
  if (begin == std::string::npos) return "";
  return document.substr(begin, document.find("\n## ", begin + 1) - begin);
}

// A spec in which every optional section is present.
Json EveryKey() {
  ExperimentSpec spec;
  spec.model.emplace();
  spec.data.emplace();
  spec.sweep.emplace();
  spec.budget.emplace();
  spec.timeline.emplace();
  spec.evaluation.emplace();
  spec.evaluation->baselines.emplace_back();
  spec.evaluation->primary.emplace();
  spec.export_.emplace();
  return SpecToJson(spec);
}

// "gates.accuracy" and the like: the keys below a section, without those that users invent.
std::vector<std::string> KeysBelow(const Json& section, const std::string& prefix = "") {
  std::vector<std::string> keys;
  for (const auto& [key, value] : section.items()) {
    keys.push_back(prefix + key);
    const Json& inside = value.is_array() && !value.empty() ? value[0] : value;
    if (!inside.is_object()) continue;
    const std::string mark = value.is_array() ? "[]." : ".";
    for (const std::string& below : KeysBelow(inside, prefix + key + mark)) keys.push_back(below);
  }
  return keys;
}

TEST(Document, HasAMinimalAndAFullExampleThatAreValid) {
  const std::vector<std::string> examples = YamlExamples(Document());
  ASSERT_EQ(examples.size(), 2u);
  for (const std::string& example : examples) {
    const ParsedExperiment parsed = Parse(example);
    EXPECT_THAT(Lines(parsed.errors), IsEmpty()) << example;
    EXPECT_THAT(Lines(parsed.warnings), IsEmpty()) << example;
  }
  // The full one names every section.
  const Json full = SpecToJson(*Parse(examples[1]).spec);
  for (const auto& [key, value] : full.items()) EXPECT_FALSE(value.is_null()) << key;
}

TEST(Document, NamesEveryKeyInTheChapterOfItsSection) {
  const std::string document = Document();
  int checked = 0;
  const Json every = EveryKey();  // items() refers to it
  for (const auto& [section, content] : every.items()) {
    if (section == "name" || section == "stages" || section == "digests") {
      EXPECT_TRUE(absl::StrContains(document, absl::StrCat("\n| `", section, "` |"))) << section;
      continue;
    }
    const std::string chapter = Chapter(document, section);
    ASSERT_FALSE(chapter.empty()) << "no chapter about " << section;
    for (const std::string& key : KeysBelow(content)) {
      EXPECT_TRUE(absl::StrContains(chapter, absl::StrCat("`", key, "`")))
          << section << "." << key << " is not documented";
      ++checked;
    }
  }
  EXPECT_GT(checked, 70);
}

TEST(Document, NamesNoKeyThatDoesNotExist) {
  const std::string document = Document();
  const Json every = EveryKey();  // items() refers to it
  for (const auto& [section, content] : every.items()) {
    if (!content.is_object() || section == "digests") continue;
    const std::vector<std::string> known = KeysBelow(content);
    const std::string chapter = Chapter(document, section);
    size_t at = 0;
    while ((at = chapter.find("\n| `", at)) != std::string::npos) {
      at += 4;
      const std::string key = chapter.substr(at, chapter.find('`', at) - at);
      EXPECT_THAT(known, testing::Contains(key)) << section;
    }
  }
}

// Defaults in the tables are those of the code: the table's cell begins with the value, in code
// marks or bare.
TEST(Document, NamesTheDefaultsOfTheCode) {
  const std::string document = Document();
  const Json defaults = SpecToJson(ExperimentSpec{});
  const std::pair<const char*, const char*> rows[] = {{"lora", "r"},
                                                      {"lora", "alpha"},
                                                      {"lora", "dropout"},
                                                      {"training", "batch_size"},
                                                      {"training", "gradient_accumulation"},
                                                      {"training", "max_steps"},
                                                      {"training", "warmup_steps"},
                                                      {"training", "save_steps"},
                                                      {"training", "eval_steps"},
                                                      {"check", "steps"},
                                                      {"retries", "max"},
                                                      {"resources", "gpus"},
                                                      {"resources", "cpus"},
                                                      {"resources", "priority"}};
  for (const auto& [section, key] : rows) {
    const std::string chapter = Chapter(document, section);
    const size_t row = chapter.find(absl::StrCat("\n| `", key, "` |"));
    ASSERT_NE(row, std::string::npos) << section << "." << key;
    const std::string line = chapter.substr(row, chapter.find('\n', row + 1) - row);
    const double value = defaults[section][key].get<double>();
    EXPECT_TRUE(absl::StrContains(line, absl::StrCat("| ", value, " |")) ||
                absl::StrContains(line, absl::StrCat("| ", value, ",")))
        << section << "." << key << " is " << value << " in the code: " << line;
  }
}

// The words in code marks in one cell, or none if the cell holds anything else than such words.
std::vector<std::string> WordsAlone(absl::string_view cell) {
  std::vector<std::string> words;
  for (absl::string_view part : absl::StrSplit(cell, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.size() < 3 || part.front() != '`' || part.back() != '`') return {};
    words.emplace_back(part.substr(1, part.size() - 2));
  }
  return words;
}

// Where a type is a list of words, each of them can be written.
TEST(Document, EveryWordThatATypeListsIsTaken) {
  const std::string document = Document();
  const Json full = SpecToJson(*Parse(YamlExamples(document).at(1)).spec);
  int tried = 0;
  for (const auto& [section, content] : full.items()) {
    for (absl::string_view line : absl::StrSplit(Chapter(document, section), '\n')) {
      const std::vector<std::string> cells = absl::StrSplit(std::string(line), " | ");
      if (!absl::StartsWith(line, "| `") || cells.size() < 4) continue;
      const std::string key = cells[0].substr(3, cells[0].find('`', 3) - 3);
      for (const std::string& word : WordsAlone(cells[1])) {
        Json changed = full;
        Json* at = &changed[section];
        for (absl::string_view part : absl::StrSplit(key, '.')) at = &(*at)[std::string(part)];
        *at = word;
        for (const Diagnostic& error : Parse(DumpJson(changed)).errors) {
          // Another key may forbid it here, but it is a word.
          if (error.key != absl::StrCat(section, ".", key)) continue;
          EXPECT_THAT(error.message, testing::Not(testing::HasSubstr("is not known"))) << word;
          EXPECT_THAT(error.message, testing::Not(testing::HasSubstr("xpected"))) << word;
        }
        ++tried;
      }
    }
  }
  EXPECT_GE(tried, 15);
}

using experiment_file::AllKeys;
using experiment_file::KeyRow;

// The cells of a table's row; a bar in a cell is written \\|.
std::vector<std::string> CellsOf(const std::string& row) {
  std::vector<std::string> cells;
  for (absl::string_view cell : absl::StrSplit(absl::StrReplaceAll(row, {{"\\|", "\x01"}}), '|')) {
    cells.push_back(absl::StrReplaceAll(absl::StripAsciiWhitespace(cell), {{"\x01", "|"}}));
  }
  return cells;
}

// Every key has the row that its description gives it. The meaning may go on behind the sentence,
// and what is wrong besides the type is said in the last cell.
TEST(Document, HasTheRowOfEveryDescription) {
  const std::string document = Document();
  for (const KeyRow& row : AllKeys()) {
    const std::string chapter = row.section.empty() ? document : Chapter(document, row.section);
    const size_t begin = chapter.find(absl::StrCat("\n| `", row.key, "` |"));
    const std::string expected = absl::StrCat("| `", row.key, "` | ", row.type, " | ", row.initial,
                                              " | ", row.meaning, " | … |");
    ASSERT_NE(begin, std::string::npos) << row.section << " lacks " << expected;
    const std::string line = chapter.substr(begin + 1, chapter.find('\n', begin + 1) - begin - 1);
    const std::vector<std::string> cells = CellsOf(line);
    ASSERT_EQ(cells.size(), 7u) << line;
    EXPECT_EQ(cells[2], row.type) << "expected: " << expected;
    EXPECT_EQ(cells[3], row.initial) << "expected: " << expected;
    EXPECT_THAT(cells[4], testing::StartsWith(row.meaning)) << "expected: " << expected;
  }
  EXPECT_GT(AllKeys().size(), 70u);
}

TEST(Document, NamesWhatASweepCanVary) {
  const std::string chapter = Chapter(Document(), "sweep");
  const size_t begin = chapter.find("\nParameters: ");
  ASSERT_NE(begin, std::string::npos);
  std::string listed = chapter.substr(begin, chapter.find(" and anything below", begin) - begin);
  std::vector<std::string> names;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(listed, '`'))) {
    if (absl::StrContains(part, '.')) names.push_back(part);
  }
  std::vector<std::string> swept;
  for (const KeyRow& row : AllKeys()) {
    if (row.swept) swept.push_back(absl::StrCat(row.section, ".", row.key));
  }
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(swept));
}

// A key is named where it is described. Those who walk the descriptions name none, so that another
// key is one line there, its member in spec.h and its row in the document.
TEST(AnotherKey, IsNoChangeForWhoeverWalksTheDescriptions) {
  const std::pair<const char*, std::set<std::string>> visitors[] = {
      {"experiment/canonical.cc", {}},
      {"experiment/key_list.cc", {}},
      {"experiment/reader.cc", {}},
      {"experiment/reader_fields.cc", {"corpus", "model"}},  // in `digests`, which no user writes
      {"experiment/read_space.cc", {}},
      {"experiment/parameters.cc", {}},
      {"trainer/protocol/job_keys.cc", {}},
      {"trainer/protocol/job_keys.h", {}},
  };
  for (const auto& [path, allowed] : visitors) {
    const absl::StatusOr<std::string> text = ReadFile(absl::StrCat(SCM_SOURCE_DIR "/", path));
    ASSERT_TRUE(text.ok()) << text.status();
    for (const KeyRow& row : AllKeys()) {
      const std::string name = row.key.substr(row.key.rfind('.') + 1);
      if (allowed.count(name) > 0) continue;
      EXPECT_FALSE(absl::StrContains(*text, absl::StrCat("\"", name, "\"")))
          << path << ": " << name;
    }
  }
}

}  // namespace
}  // namespace scm
