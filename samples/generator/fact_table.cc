#include "samples/generator/fact_table.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/json.h"
#include "corpus/text.h"

namespace scm::samples {
namespace {

// A prompt of the primary task that held one of these would be string matching.
constexpr const char* kCountryWords[] = {"argentin", "chile", "urugua", "españa",
                                         "español",  "spain", "spanish"};
constexpr size_t kLongestStatement = 160;  // code points; keeps items within some 80 tokens

class FactReader {
 public:
  FactReader(const Json& object, int line, std::vector<std::string>* problems)
      : object_(object), line_(line), problems_(problems) {}

  std::string Text(const std::string& key, bool may_be_empty = false) {
    known_.insert(key);
    const std::string text = StringAt(object_, key);
    if (!MemberAt(object_, key).is_string() || (text.empty() && !may_be_empty)) {
      Problem(key, "expected a text");
    }
    return text;
  }

  std::vector<std::string> Texts(const std::string& key, size_t smallest) {
    known_.insert(key);
    std::vector<std::string> texts;
    for (const Json& element : MemberAt(object_, key)) {
      if (element.is_string()) texts.push_back(element.get<std::string>());
    }
    if (!MemberAt(object_, key).is_array() || texts.size() < smallest ||
        texts.size() != MemberAt(object_, key).size()) {
      Problem(key, absl::StrCat("expected at least ", smallest, " texts"));
    }
    return texts;
  }

  void Problem(const std::string& key, const std::string& message) {
    problems_->push_back(absl::StrCat("line ", line_, ": ", key, ": ", message));
  }

  void RefuseUnknownKeys() {
    for (const auto& [key, value] : object_.items()) {
      if (known_.count(key) == 0) Problem(key, "unknown key");
    }
  }

 private:
  const Json& object_;
  int line_;
  std::vector<std::string>* problems_;
  std::set<std::string> known_;
};

void CheckStatements(const Fact& fact, FactReader* reader) {
  for (const std::string& statement : fact.statements) {
    if (corpus::CodePoints(statement) > static_cast<int64_t>(kLongestStatement)) {
      reader->Problem("statements",
                      absl::StrCat("longer than ", kLongestStatement, ": ", statement));
    }
    const std::string folded = corpus::Fold(statement);
    for (const char* word : kCountryWords) {
      if (absl::StrContains(folded, word)) {
        reader->Problem("statements", absl::StrCat("names a country: ", statement));
      }
    }
  }
}

Fact ReadFact(const Json& object, FactReader* reader) {
  Fact fact;
  fact.id = reader->Text("id");
  fact.document = reader->Text("document");
  fact.jurisdiction = reader->Text("jurisdiction");
  fact.domain = reader->Text("domain");
  fact.language = reader->Text("language");
  fact.law = reader->Text("law", true);
  fact.article = reader->Text("article", true);
  fact.status = reader->Text("status");
  fact.concepts = reader->Texts("concepts", 1);
  fact.statements = reader->Texts("statements", 1);
  fact.question = reader->Text("question");
  fact.answers = reader->Texts("answers", 2);
  fact.complies = reader->Texts("complies", 0);
  fact.violates = reader->Texts("violates", 0);
  reader->RefuseUnknownKeys();
  const std::set<std::string> jurisdictions = {"AR", "CL", "UY", "ES"}, languages = {"es", "en"};
  if (jurisdictions.count(fact.jurisdiction) == 0) reader->Problem("jurisdiction", "unknown");
  if (languages.count(fact.language) == 0) reader->Problem("language", "expected es or en");
  if (fact.status != "checked" && fact.status != "confident") {
    reader->Problem("status", "expected checked or confident");
  }
  if (fact.complies.size() != fact.violates.size()) {
    reader->Problem("violates", "expected as many cases as in complies");
  }
  CheckStatements(fact, reader);
  return fact;
}

}  // namespace

absl::StatusOr<std::vector<Fact>> ParseFactTable(absl::string_view text) {
  std::vector<Fact> facts;
  std::vector<std::string> problems;
  std::set<std::string> ids;
  std::map<std::string, std::string> kind_of_document;
  int line = 0;
  for (const absl::string_view row : absl::StrSplit(text, '\n')) {
    ++line;
    if (row.empty()) continue;
    const absl::StatusOr<Json> object = ParseJson(row, absl::StrCat("line ", line));
    if (!object.ok() || !object->is_object()) {
      problems.push_back(object.ok() ? absl::StrCat("line ", line, ": expected a JSON object")
                                     : std::string(object.status().message()));
      continue;
    }
    FactReader reader(*object, line, &problems);
    Fact fact = ReadFact(*object, &reader);
    if (!ids.insert(fact.id).second) reader.Problem("id", "is doubled");
    const std::string kind = absl::StrCat(fact.jurisdiction, "/", fact.domain, "/", fact.language);
    if (kind_of_document.emplace(fact.document, kind).first->second != kind) {
      reader.Problem("document", "has another jurisdiction, domain or language on an earlier line");
    }
    facts.push_back(std::move(fact));
  }
  if (facts.empty()) problems.push_back("no facts");
  if (!problems.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("fact table:\n", absl::StrJoin(problems, "\n")));
  }
  return facts;
}

}  // namespace scm::samples
