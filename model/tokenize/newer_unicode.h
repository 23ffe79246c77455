// Letters and numbers that Unicode gained after version 14, which the PCRE2 of current systems
// knows, up to version 16, which tokenizers 0.23 knows. Without them such a character would fall
// into another pre-token than where the model's vocabulary was made. Pure.
#pragma once

#include "absl/strings/string_view.h"

namespace scm::model {

// Members of a PCRE2 character set ("\x{10D40}-\x{10D49}…") beyond \p{L}, \p{N} and \d. A PCRE2
// that knows them already is not disturbed.
extern const char kNewerLetters[];
extern const char kNewerNumbers[];
extern const char kNewerDigits[];
// Beyond letters, marks, \p{Nd} and \p{Pc}: what \w has gained.
extern const char kNewerWordCharacters[];

// Whether `text` (UTF-8) may hold one of them: true also for some others, never false for one.
bool MayHoldNewer(absl::string_view text);

}  // namespace scm::model
