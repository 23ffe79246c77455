// UTF-8 checks. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace scm {

// Index of the first byte that is no part of well-formed UTF-8 (no overlong forms, no surrogates,
// nothing above U+10FFFF), or npos.
size_t FirstInvalidUtf8(absl::string_view text);

// Each maximal ill-formed part becomes one U+FFFD, as the Unicode standard recommends (and as
// Rust's from_utf8_lossy, which Hugging Face's decoder uses, does).
std::string ReplaceInvalidUtf8(absl::string_view text);

// Reads one code point at `at` of well-formed text and moves past it.
char32_t NextCodePoint(absl::string_view text, size_t& at);
// The UTF-16 unit of a \uXXXX escape at `at`, or -1; and what it is half of.
int EscapedUnit(absl::string_view text, size_t at);
inline bool IsHighSurrogate(int unit) { return unit >= 0xd800 && unit <= 0xdbff; }
inline bool IsLowSurrogate(int unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

void AppendCodePoint(char32_t code_point, std::string& out);

}  // namespace scm
