// The identity of a corpus: SHA-256 over the sorted relative names and the contents of
// documents/*.jsonl, items/*.jsonl and corpus.json. Each is fed as name, a zero byte, the content's
// length in decimal, a zero byte, content; so no two corpora feed the same bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace scm {

// Lower-case hexadecimal. NOT_FOUND when there is no such directory. Thread-safe.
absl::StatusOr<std::string> CorpusDigest(const std::string& directory);

}  // namespace scm
