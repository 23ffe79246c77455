// What messages say about words: which there are, and which was probably meant. Pure.
#pragma once

#include <string>
#include <vector>

#include "experiment/keys.h"

namespace scm::experiment_file {

// "linaer is not known. Did you mean linear?", or the allowed words; "nf4 is not supported yet …".
std::string UnknownWord(const std::string& word, const Words& words);

std::string ListOf(const std::vector<std::string>& words);  // "a, b or c"

// The nearest of `known` to a word of sane length; "" if none is near. Bounded in cost.
std::string Nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace scm::experiment_file
