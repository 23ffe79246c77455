#include "model/tokenize/special_tokens.h"

#include <algorithm>
#include <functional>

namespace scm::model {

void SpecialTokens::Add(const AddedToken& token) {
  by_content_.emplace(token.content, token);
  std::vector<size_t>& lengths = lengths_[static_cast<uint8_t>(token.content[0])];
  const size_t length = token.content.size();
  const auto at = std::lower_bound(lengths.begin(), lengths.end(), length, std::greater<>());
  if (at == lengths.end() || *at != length) lengths.insert(at, length);
}

SpecialTokens::Match SpecialTokens::Find(absl::string_view text, size_t from) const {
  for (size_t at = from; at < text.size(); ++at) {
    for (const size_t length : lengths_[static_cast<uint8_t>(text[at])]) {
      if (length > text.size() - at) continue;
      const auto it = by_content_.find(text.substr(at, length));
      if (it != by_content_.end()) return {at, at + length, &it->second};
    }
  }
  return {text.size(), text.size(), nullptr};
}

}  // namespace scm::model
