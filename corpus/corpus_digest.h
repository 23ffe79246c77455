// The identity of a corpus: SHA-256 over the sorted relative names and the contents of
// documents/*.jsonl, items/*.jsonl and corpus.json. Each is fed as name, a zero byte, the content's
// length in decimal, a zero byte, content; so no two corpora feed the same bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"

namespace scm::corpus {

// One file's part of it, for whoever has read the file; in the order of CorpusFiles.
void AddToCorpusDigest(absl::string_view name, absl::string_view content, Sha256& hash);

// Lower-case hexadecimal. NOT_FOUND when there is no such directory. Thread-safe.
absl::StatusOr<std::string> CorpusDigest(const std::string& directory);

}  // namespace scm::corpus
