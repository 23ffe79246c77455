// What the flags of added tokens ask of the text around them, as tokenizers (0.23) answers: its
// word characters and white space are those of Rust's regular expressions, \w and \s of Unicode 16.
// Well-formed UTF-8 in. Pure; thread-safe.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace scm::model {

bool BeginsWithWord(absl::string_view text);
bool EndsWithWord(absl::string_view text);

// Bytes of white space at the beginning, and at the end.
size_t LeadingSpace(absl::string_view text);
size_t TrailingSpace(absl::string_view text);

}  // namespace scm::model
