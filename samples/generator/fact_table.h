// The table of legal facts behind the demonstration corpus: samples/generator/facts.jsonl, one fact
// a line. The only hand-written source of the corpus. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::samples {

struct Fact {
  std::string id;
  std::string document;      // facts of one document share jurisdiction, domain and language
  std::string jurisdiction;  // AR, CL, UY, ES
  std::string domain;        // corporate_governance, regulatory_compliance, …
  std::string language;      // es, en
  std::string law, article;  // "" where the fact is about an institution
  std::string status;        // "checked" against the text of the law, or "confident": widely known
  std::vector<std::string> concepts;    // what the fact is about
  std::vector<std::string> statements;  // the rule first, then other wordings and situations
  std::string question;                 // answered by the first statement
  std::vector<std::string> answers;     // the right one first
  std::vector<std::string> complies, violates;  // cases under the first statement
};

// INVALID_ARGUMENT lists every problem with its line: missing or unknown keys, doubled ids, a
// status other than the two, a document with two jurisdictions, a country's name in a statement.
absl::StatusOr<std::vector<Fact>> ParseFactTable(absl::string_view text);

}  // namespace scm::samples
