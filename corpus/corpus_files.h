// Which files make up a corpus.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace scm::corpus {

inline constexpr char kCorpusInfoFile[] = "corpus.json";

// Whether a file name inside documents/ or items/ belongs to the corpus: *.jsonl, not hidden.
bool IsCorpusFileName(const std::string& name);

// Sorted names (relative to `directory`) of documents/*.jsonl, items/*.jsonl and corpus.json; a
// folder that is missing has no files. NOT_FOUND when `directory` is none.
absl::StatusOr<std::vector<std::string>> CorpusFiles(const std::string& directory);

}  // namespace scm::corpus
