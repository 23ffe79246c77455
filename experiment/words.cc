#include "experiment/words.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/suggest.h"

namespace scm::experiment_file {
namespace {

constexpr size_t kLongestWord = 64;  // nobody misspells longer ones, and edit distance is quadratic

}  // namespace

std::string ListOf(const std::vector<std::string>& words) {
  if (words.size() < 2) return absl::StrJoin(words, "");
  return absl::StrCat(absl::StrJoin(words.begin(), words.end() - 1, ", "), " or ", words.back());
}

std::string Nearest(const std::string& word, const std::vector<std::string>& known) {
  return word.size() > kLongestWord ? "" : Suggest(word, known);
}

std::string UnknownWord(const std::string& word, const Words& words) {
  if (std::find(words.planned.begin(), words.planned.end(), word) != words.planned.end()) {
    return absl::StrCat(word, " is known but not supported yet. Use ", ListOf(words.allowed));
  }
  const std::string shown = word.size() > kLongestWord ? "this" : absl::StrCat("\"", word, "\"");
  const std::string nearest = Nearest(word, words.allowed);
  if (!nearest.empty()) return absl::StrCat(shown, " is not known. Did you mean ", nearest, "?");
  return absl::StrCat(shown, " is not known. Expected ", ListOf(words.allowed));
}

}  // namespace scm::experiment_file
