// A draft of a paper as plain sentences, each with the line where it begins. Pure, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace scm::claims {

enum class DraftFormat { kMarkdown, kLatex };

// Stands where the draft refers to another work.
inline constexpr char kCitation[] = "⟦cite⟧";

struct DraftSentence {
  int line = 0;       // from 1
  std::string text;   // without markup
  int paragraph = 0;  // sentences of one paragraph share it
};

struct Draft {
  std::vector<DraftSentence> sentences;
  int table_rows = 0;  // left out: a cell is no sentence
};

// Code, comments, LaTeX's preamble (but for the title) and tables are left out; captions, headings
// and list items are sentences of their own.
Draft ReadDraft(absl::string_view text, DraftFormat format);

}  // namespace scm::claims
