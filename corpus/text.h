// Text as the data checks compare it. Pure. No Unicode normalisation is made: a composed and a
// decomposed "é" are different here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace scm::corpus {

// Number of code points of well-formed UTF-8.
int64_t CodePoints(absl::string_view text);

// Lower case (ASCII, Latin-1, Latin Extended-A), runs of white space as one space, none at the
// ends.
std::string Fold(absl::string_view text);

// The words of Fold(text): runs of anything that is neither space nor punctuation.
std::vector<std::string> FoldedWords(absl::string_view text);

}  // namespace scm::corpus
