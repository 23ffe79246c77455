// What NCCL and c10d say when ranks cannot compute together over GPUs, as a sentence with what to
// set. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace scm::gang {

// `error` is all that was thrown: c10d names the kind of failure first, and behind "Last error:"
// what NCCL found. The sentence ends with these words.
std::string ExplainNccl(absl::string_view error);

}  // namespace scm::gang
