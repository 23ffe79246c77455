// The data checks that stand before a cent is spent: used by the stage `check` and by
// `scmctl validate`. Pure.
//
// Checks, by the name that corpus.json's "accept" may list (an accepted error becomes a warning):
//   exact_duplicates   the same prompt and choices, ignoring case and spaces; across splits an
//   error near_duplicates    prompts or documents of two splits with Jaccard ≥ 0.8 on 5-word
//   shingles cluster_leakage    a cluster, or a document, in train and in test or validation: an
//   error containment        a run of 13 words of a test prompt that also stands in training text
//   conflicting_labels the same question with different gold answers
//   empty_split        no train, validation or test items where items are wanted: an error
//   few_clusters       fewer than 10 test clusters, or 5 effective ones: nothing can be judged
//   label_balance, answer_position, lengths, as_of, language
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/json.h"
#include "corpus/corpus.h"
#include "corpus/split.h"

namespace scm::corpus {

enum class Severity { kInfo, kWarning, kError };
// "info", "warning", "error".
const char* SeverityName(Severity severity);

struct Finding {
  Severity severity = Severity::kInfo;
  std::string check;                  // a name of the list above
  std::string message;                // a sentence for people
  std::vector<std::string> subjects;  // ids of items or documents, the first few
  int64_t count = 0;                  // how many there are in all
};

struct QualityReport {
  std::vector<Finding> findings;  // errors first, then warnings, then infos
  Json summary;                   // counts, balances and lengths, see QualityToJson
  bool has_errors() const;
  // Messages of one severity, in order.
  std::vector<std::string> Messages(Severity severity) const;
};

struct QualityOptions {
  std::vector<std::string> tasks;  // those that will be evaluated; empty = all
  double near_duplicate = 0.8;     // Jaccard
  int64_t shingle_words = 5;
  int64_t containment_words = 13;
  int64_t listed_subjects = 5;  // of each finding
};

QualityReport CheckQuality(const Corpus& corpus, const SplitAssignment& assignment,
                           const QualityOptions& options = {});

// {"version": 1, "demonstration", "digest", "findings": [{"severity","check","message","count",
// "subjects"}], "summary": {"documents","items","splits","tasks","jurisdictions","languages"}}.
Json QualityToJson(const Corpus& corpus, const QualityReport& report);

}  // namespace scm::corpus
