// "Did you mean …?" for misspelt words. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace scm {

// The known word nearest to `word` by edit distance (adjacent swaps count one), or "" if none is
// near enough to be a plausible slip.
std::string Suggest(absl::string_view word, const std::vector<std::string>& known);

}  // namespace scm
