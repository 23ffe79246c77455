// Tokens that stand outside byte-pair encoding and are looked for in the text before anything else
// (tokenizer.json's added_tokens). Immutable after the last Add; then thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace scm::model {

struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool special = false;      // recognised only when the caller asks for it
  bool normalized = false;   // looked for after the others, in what they left over
  bool lstrip = false;       // takes the white space before it, which becomes no token of its own
  bool rstrip = false;       // and the white space behind it
  bool single_word = false;  // counts only where no letter, digit or underscore touches it
};

class SpecialTokens {
 public:
  // Non-empty content, not added before.
  void Add(const AddedToken& token);

  struct Match {
    size_t begin, end;
    const AddedToken* token;  // null = none from `from` on
  };
  // The leftmost match at or after `from`, the longest of those that begin there; whatever its
  // flags say.
  Match Find(absl::string_view text, size_t from) const;
  bool empty() const { return by_content_.empty(); }

 private:
  absl::flat_hash_map<std::string, AddedToken> by_content_;
  std::array<std::vector<size_t>, 256> lengths_;  // by first byte, longest first
};

}  // namespace scm::model
