#include "samples/generator/make_corpus.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/rng.h"

namespace scm::samples {
namespace {

constexpr uint64_t kSeed = 1;
constexpr char kAsOf[] = "2026-08-31";
constexpr char kName[] = "corporate-law-demonstration";
constexpr char kNote[] =
    "Demonstration: it proves the machinery, not the law. Made from a small table of facts by a "
    "program; not reviewed by lawyers; no basis for advice or for claims about a model.";
constexpr size_t kConceptChoices = 4;

// Choices in an order that depends on the item alone, so that no position gives the answer away.
struct Choices {
  Json texts = Json::array();
  std::vector<int64_t> gold;
};

Choices MixChoices(const std::string& item_id, const std::vector<std::string>& right,
                   const std::vector<std::string>& wrong) {
  std::vector<std::pair<std::string, bool>> all;
  for (const std::string& text : right) all.emplace_back(text, true);
  for (const std::string& text : wrong) all.emplace_back(text, false);
  Philox rng(kSeed, absl::StrCat("samples/choices/", item_id));
  Shuffle(all, rng);
  Choices choices;
  for (size_t i = 0; i < all.size(); ++i) {
    choices.texts.push_back(all[i].first);
    if (all[i].second) choices.gold.push_back(static_cast<int64_t>(i));
  }
  return choices;
}

struct Draft {
  std::string task, suffix, prompt;
  std::vector<std::string> right, wrong;
  bool multi_label = false;
};

std::string ItemLine(const Fact& fact, const Draft& draft) {
  const std::string id = absl::StrCat(fact.id, ".", draft.suffix);
  const Choices choices = MixChoices(id, draft.right, draft.wrong);
  Json line = {{"id", id},
               {"task", draft.task},
               {"document", fact.document},
               {"prompt", draft.prompt},
               {"choices", choices.texts}};
  line["gold"] = draft.multi_label ? Json(choices.gold) : Json(choices.gold.front());
  line["cluster_id"] = fact.document;
  line["jurisdiction"] = fact.jurisdiction;
  line["as_of"] = kAsOf;
  return DumpJson(line) + "\n";
}

// Where a rule was written down: by the words of its place, not by its name, one tells the country.
const std::vector<std::string>& Headings(const Fact& fact) {
  static const std::map<std::string, std::vector<std::string>> spanish = {
      {"AR", {"Consulta a la IGJ:", "Nota del síndico:", "Comentario de la LGS:"}},
      {"CL", {"Consulta a la CMF:", "Nota del gerente general:", "Estatutos de la S.A.:"}},
      {"UY", {"Consulta a la AIN:", "Cláusula del contrato social:", "Ley 16.060:"}},
      {"ES",
       {"Consulta al registrador mercantil:", "Acta de la junta general:",
        "Comentario de la LSC:"}}};
  static const std::map<std::string, std::vector<std::string>> english = {
      {"AR", {"Filing with the IGJ:"}},
      {"CL", {"Filing with the CMF:"}},
      {"UY", {"Filing with the AIN:"}},
      {"ES", {"Filing with the Registro Mercantil:"}}};
  return (fact.language == "en" ? english : spanish).at(fact.jurisdiction);
}

std::string JurisdictionItems(const Fact& fact, size_t number) {
  const std::vector<std::pair<std::string, std::string>> labels = {
      {"AR", "Argentina"}, {"CL", "Chile"}, {"UY", "Uruguay"}, {"ES", "España"}};
  const char* ask = fact.language == "en" ? "\nCountry:" : "\nPaís:";
  const std::vector<std::string>& headings = Headings(fact);
  std::string lines;
  for (size_t i = 0; i < fact.statements.size(); ++i) {
    // The bare rule often says nothing of its origin; the other wordings do by themselves.
    const std::string heading = i == 0 ? headings[number % headings.size()] + " " : "";
    Draft draft{"jurisdiction_classification",
                absl::StrCat("j", i + 1),
                absl::StrCat(heading, fact.statements[i], ask),
                {},
                {}};
    for (const auto& [code, label] : labels) {
      (code == fact.jurisdiction ? draft.right : draft.wrong).push_back(label);
    }
    lines += ItemLine(fact, draft);
  }
  return lines;
}

std::string ReasoningItem(const Fact& fact) {
  const char* ask = fact.language == "en" ? "\nAnswer:" : "\nRespuesta:";
  return ItemLine(fact, {"legal_reasoning",
                         "r",
                         absl::StrCat(fact.statements.front(), "\n", fact.question, ask),
                         {fact.answers.front()},
                         {fact.answers.begin() + 1, fact.answers.end()}});
}

std::string ConceptItem(const Fact& fact, const std::vector<std::string>& pool) {
  std::vector<std::string> others;
  for (const std::string& concept_name : pool) {
    if (std::count(fact.concepts.begin(), fact.concepts.end(), concept_name) == 0) {
      others.push_back(concept_name);
    }
  }
  Philox rng(kSeed, absl::StrCat("samples/concepts/", fact.id));
  Shuffle(others, rng);
  others.resize(std::min(others.size(), kConceptChoices - fact.concepts.size()));
  const char* ask = fact.language == "en" ? "\nTopic:" : "\nTema:";
  return ItemLine(fact, {"concept_identification", "c", absl::StrCat(fact.statements.front(), ask),
                         fact.concepts, others, true});
}

std::string ComplianceItems(const Fact& fact) {
  const bool english = fact.language == "en";
  const std::string yes = english ? "yes" : "sí";
  std::string lines;
  const auto add = [&](const std::string& text, bool complies, const std::string& suffix) {
    const std::string prompt =
        absl::StrCat(fact.statements.front(), english ? "\nCase: " : "\nCaso: ", text,
                     english ? "\nDoes it comply?" : "\n¿Cumple?");
    lines += ItemLine(
        fact,
        {"compliance_reasoning", suffix, prompt, {complies ? yes : "no"}, {complies ? "no" : yes}});
  };
  for (size_t i = 0; i < fact.complies.size(); ++i) {
    add(fact.complies[i], true, absl::StrCat("y", i + 1));
    add(fact.violates[i], false, absl::StrCat("n", i + 1));
  }
  return lines;
}

std::string Source(const std::vector<const Fact*>& facts) {
  std::string source;
  for (const Fact* fact : facts) {
    const std::string place = fact->law.empty() ? std::string("institution")
                                                : absl::StrCat(fact->law, ", art. ", fact->article);
    absl::StrAppend(&source, source.empty() ? "" : "; ", place, " (", fact->status, ")");
  }
  return absl::StrCat(source, "; own words");
}

std::string DocumentLine(const std::vector<const Fact*>& facts) {
  std::string text;
  for (const Fact* fact : facts)
    absl::StrAppend(&text, text.empty() ? "" : " ", fact->statements[0]);
  const Fact& first = *facts.front();
  const Json line = {{"id", first.document},
                     {"text", text},
                     {"jurisdiction", first.jurisdiction},
                     {"domain", first.domain},
                     {"language", first.language},
                     {"source", Source(facts)},
                     {"as_of", kAsOf}};
  return DumpJson(line) + "\n";
}

}  // namespace

std::map<std::string, std::string> MakeSampleCorpus(const std::vector<Fact>& facts) {
  std::map<std::string, std::string> files;
  std::set<std::string> concepts;
  std::vector<std::string> document_order;
  std::map<std::string, std::vector<const Fact*>> by_document;
  for (const Fact& fact : facts) {
    concepts.insert(fact.concepts.begin(), fact.concepts.end());
    std::vector<const Fact*>& members = by_document[fact.document];
    if (members.empty()) document_order.push_back(fact.document);
    members.push_back(&fact);
  }
  for (const std::string& document : document_order) {
    const std::vector<const Fact*>& members = by_document[document];
    const std::string file = absl::AsciiStrToLower(members.front()->jurisdiction);
    files[absl::StrCat("documents/", file, ".jsonl")] += DocumentLine(members);
  }
  const std::vector<std::string> pool(concepts.begin(), concepts.end());
  size_t number = 0;
  for (const Fact& fact : facts) {
    files["items/jurisdiction_classification.jsonl"] += JurisdictionItems(fact, number++);
    files["items/legal_reasoning.jsonl"] += ReasoningItem(fact);
    files["items/concept_identification.jsonl"] += ConceptItem(fact, pool);
    files["items/compliance_reasoning.jsonl"] += ComplianceItems(fact);
  }
  const Json info = {{"name", kName}, {"demonstration", true}, {"note", kNote}, {"as_of", kAsOf}};
  files["corpus.json"] = DumpJson(info, 2) + "\n";
  return files;
}

}  // namespace scm::samples
