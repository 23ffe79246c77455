// Paragraphs into sentences. Pure.
#pragma once

#include <string>
#include <vector>

#include "claims/draft.h"

namespace scm::claims {

// Text that grows line by line and knows where each character came from.
class Paragraph {
 public:
  void Append(absl::string_view text, int line);
  bool empty() const { return text_.find_first_not_of(' ') == std::string::npos; }
  // The sentences so far, as of paragraph `number`; then it is empty.
  void MoveTo(int number, std::vector<DraftSentence>* sentences);

 private:
  std::string text_;
  std::vector<int> lines_;  // of each byte
};

}  // namespace scm::claims
