// Reads a corpus directory: documents/*.jsonl, items/*.jsonl and, if present, corpus.json.
//
// A document line: {"id","text","jurisdiction","domain","language","source","as_of"}.
// An item line: {"id","task","document","prompt","choices":[…],"gold":index,"cluster_id",
// "jurisdiction","as_of","split"?}; a multi-label task has "gold":[indices], one of conversations
// "messages":[{"role","content"}] instead of prompt, choices and gold.
// Blank lines are skipped. Every problem of the whole corpus is collected, in file order.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "corpus/corpus.h"

namespace scm::corpus {

struct CorpusProblem {
  std::string file;  // relative to the corpus root; "" = the corpus as a whole
  int line = 0;      // 1-based; 0 = the file as a whole
  std::string field;
  std::string message;  // what is wrong, what was expected
};

// "items/a.jsonl:12: gold: 4 is no index into 4 choices; expected 0 to 3".
std::string FormatCorpusProblem(const CorpusProblem& problem);

struct CorpusLoad {
  Corpus corpus;  // complete only without errors
  std::vector<CorpusProblem> errors;
  std::vector<CorpusProblem> warnings;
  bool ok() const { return errors.empty(); }
  // Problems beyond the first kMaxProblems are counted only.
  int64_t errors_left_out = 0, warnings_left_out = 0;
  static constexpr int64_t kMaxProblems = 1000;
};

// Never fails as a whole: an unreadable directory is an error in the result. Thread-safe.
CorpusLoad LoadCorpus(const std::string& directory);

// For callers who can only give up: INVALID_ARGUMENT with the first errors, a line each.
absl::StatusOr<Corpus> LoadCorpusOrError(const std::string& directory);

}  // namespace scm::corpus
