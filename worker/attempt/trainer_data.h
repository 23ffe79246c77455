// What a trainer of one's own is told about its data: that it is what was submitted, and which
// documents and items belong to which split. The built-in programs find both out themselves.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/json.h"

namespace scm::worker {

// Fills in split_file of the SCM_SPEC and writes that file into the attempt's directory; null where
// parameters.data names no corpus of ours. INVALID_ARGUMENT when an input that was recorded at
// submission is another one now. `digest_cache` is the directory of FileDigests. Blocks; any
// thread.
absl::Status HandOverData(const std::string& directory, const std::string& digest_cache,
                          Json& spec);

}  // namespace scm::worker
