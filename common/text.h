// Bytes of others as text: report lines, log lines, file names, ids, names of GPUs, messages of
// exceptions. Whatever comes from outside passes here once, at the border. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace scm {

// Enough for a sentence or a stack trace; what is longer belongs into a log.
inline constexpr size_t kTextLimit = 4096;

// Well-formed UTF-8 of at most `limit` bytes, cut between characters and then ended by "…". What is
// ill-formed becomes U+FFFD, and so does what steers a terminal or turns the writing direction (C0
// but newline and tab, DEL, C1, bidirectional controls).
std::string TextOf(absl::string_view bytes, size_t limit = kTextLimit);
// The same on one line: newlines and tabs become spaces.
std::string LineOf(absl::string_view bytes, size_t limit = kTextLimit);

}  // namespace scm
