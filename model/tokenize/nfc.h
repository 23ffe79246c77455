// Unicode's normalisation form C (UAX 15), which Qwen's tokenizers put before everything else:
// marks in their order, composed with what they stand on. Equal to tokenizers' NFC, whose tables
// are older than today's Unicode: marks and compositions that came after Unicode 9 are left as they
// are. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace scm::model {

// False for most texts, which are in form C already; true also for some that are.
bool MayNeedNfc(absl::string_view text);

// `text` is well-formed UTF-8.
std::string ToNfc(absl::string_view text);

}  // namespace scm::model
