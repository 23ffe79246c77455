#include "claims/latex.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "claims/sentences.h"

namespace scm::claims {
namespace {

bool IsCommandLetter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); }

template <typename List>
bool Has(const List& list, absl::string_view name) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](const char* one) { return name == one; });
}

// Nothing in them is a sentence.
constexpr const char* kLeftOut[] = {"verbatim", "lstlisting",      "minted",   "comment",
                                    "equation", "equation*",       "align",    "align*",
                                    "tabular",  "tabular*",        "tabularx", "longtable",
                                    "array",    "thebibliography", "algorithm"};
constexpr const char* kTables[] = {"tabular", "tabular*", "tabularx", "longtable"};
// Their arguments are no text.
constexpr const char* kWithoutText[] = {
    "label",        "ref",           "autoref",           "cref",   "Cref",
    "eqref",        "pageref",       "includegraphics",   "input",  "include",
    "url",          "bibliography",  "bibliographystyle", "vspace", "hspace",
    "usepackage",   "documentclass", "setlength",         "begin",  "end",
    "footnotemark", "thispagestyle", "pagestyle"};
// What begins a paragraph of its own, and ends one.
constexpr const char* kBlocks[] = {"item",  "section", "subsection", "subsubsection", "paragraph",
                                   "title", "caption", "chapter",    "part",          "footnote"};
constexpr const char* kHeadings[] = {"section", "subsection", "subsubsection",
                                     "title",   "chapter",    "part"};

struct Symbol {
  const char *command, *text;
};
constexpr Symbol kSymbols[] = {{"times", "×"},
                               {"pm", "±"},
                               {"approx", " approximately "},
                               {"geq", " ≥ "},
                               {"ge", " ≥ "},
                               {"leq", " ≤ "},
                               {"le", " ≤ "},
                               {"lt", " < "},
                               {"gt", " > "},
                               {"percent", "%"},
                               {"ldots", "…"},
                               {"dots", "…"},
                               {"sim", " approximately "},
                               {"to", "–"},
                               {"euro", "€"}};

// A letter with the accent of \'e, \~n, \"u; the letter alone where it has none here.
std::string Accented(char accent, char letter) {
  struct Pair {
    char accent, letter;
    const char* text;
  };
  static constexpr Pair kPairs[] = {
      {'\'', 'a', "á"}, {'\'', 'e', "é"}, {'\'', 'i', "í"}, {'\'', 'o', "ó"}, {'\'', 'u', "ú"},
      {'~', 'n', "ñ"},  {'"', 'u', "ü"},  {'\'', 'A', "Á"}, {'\'', 'E', "É"}, {'\'', 'I', "Í"},
      {'\'', 'O', "Ó"}, {'\'', 'U', "Ú"}, {'~', 'N', "Ñ"}};
  for (const Pair& pair : kPairs) {
    if (pair.accent == accent && pair.letter == letter) return pair.text;
  }
  return std::string(1, letter);
}

// The argument that begins at line[*at], "{…}" or "[…]"; *at moves behind it.
absl::string_view Argument(absl::string_view line, size_t* at) {
  const char open = line[*at], close = open == '{' ? '}' : ']';
  int depth = 0;
  const size_t begin = *at + 1;
  for (; *at < line.size(); ++*at) {
    if (line[*at] == open) ++depth;
    if (line[*at] == close && --depth == 0) return line.substr(begin, (*at)++ - begin);
  }
  return line.substr(std::min(begin, line.size()));
}

class LatexReader {
 public:
  Draft Read(absl::string_view text) {
    in_preamble_ = absl::StrContains(text, "\\begin{document}");
    number_ = 0;
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      ++number_;
      AddLine(line);
    }
    End();
    return std::move(draft_);
  }

 private:
  void End() {
    Flush();
    if (!paragraph_.empty()) paragraph_.MoveTo(++paragraphs_, &draft_.sentences);
  }
  void Flush() {
    if (out_.empty()) return;
    paragraph_.Append(out_, number_);
    out_.clear();
  }

  void AddLine(absl::string_view line) {
    if (in_preamble_) {
      if (absl::StrContains(line, "\\begin{document}")) in_preamble_ = false;
      const size_t title = line.find("\\title{");
      if (title == absl::string_view::npos) return;
      line = line.substr(title);
    }
    if (absl::StripAsciiWhitespace(line).empty()) return End();
    Convert(line);
    Flush();
    if (heading_) End();
    heading_ = false;
  }

  void Convert(absl::string_view line) {
    for (size_t i = 0; i < line.size();) {
      if (line[i] == '%') return;
      if (line[i] == '\\' && i + 1 < line.size()) {
        i = Command(line, i + 1);
        continue;
      }
      if (left_out_.empty()) Character(line, i);
      ++i;
    }
  }

  void Character(absl::string_view line, size_t i) {
    const char c = line[i];
    if (c == '{' || c == '}' || c == '$') return;
    if (c == '~') {
      out_.push_back(' ');
    } else if (c == '-' && i > 0 && line[i - 1] == '-') {
      out_.pop_back();
      out_ += "–";
    } else if (c == '\'' && i > 0 && line[i - 1] == '\'') {
      return;
    } else if (c == '`') {
      return;
    } else {
      out_.push_back(c);
    }
  }

  // Of the command whose name begins at `at`; where to go on.
  size_t Command(absl::string_view line, size_t at) {
    size_t end = at;
    while (end < line.size() && IsCommandLetter(line[end])) ++end;
    if (end == at) return Sign(line, at);
    absl::string_view name = line.substr(at, end - at);
    if (end < line.size() && line[end] == '*') ++end;
    if (name == "begin" || name == "end") return Environment(line, end, name == "begin");
    if (!left_out_.empty()) return end;
    if (absl::StartsWith(name, "cite") || name == "parencite" || name == "textcite") {
      SkipArguments(line, &end);
      out_ += absl::StrContains(out_, kCitation) ? "" : std::string(" ") + kCitation;
      return end;
    }
    if (Has(kWithoutText, name)) {
      SkipArguments(line, &end);
      return end;
    }
    if (Has(kBlocks, name)) {
      End();
      heading_ = heading_ || Has(kHeadings, name);
    }
    for (const Symbol& symbol : kSymbols) {
      if (name == symbol.command) out_ += symbol.text;
    }
    while (end < line.size() && line[end] == '[') Argument(line, &end);
    return end;
  }

  // \%, \,, \'e, \\.
  size_t Sign(absl::string_view line, size_t at) {
    const char c = line[at];
    if (!left_out_.empty()) {
      // A row of a table ends with two of them.
      if (c == '\\' && Has(kTables, left_out_)) ++draft_.table_rows;
      return at + 1;
    }
    if (absl::StrContains("'~\"`^", line.substr(at, 1))) {
      size_t letter = at + 1;
      if (letter < line.size() && line[letter] == '{') ++letter;
      if (letter < line.size() && line[letter] == '\\') ++letter;  // \'\i
      if (letter >= line.size()) return line.size();
      out_ += Accented(c, line[letter]);
      return letter + 1;
    }
    out_.push_back(absl::StrContains("%&$#_{}", line.substr(at, 1)) ? c : ' ');
    return at + 1;
  }

  size_t Environment(absl::string_view line, size_t end, bool begins) {
    if (end >= line.size() || line[end] != '{') return end;
    const absl::string_view name = Argument(line, &end);
    if (begins) {
      while (end < line.size() && (line[end] == '[' || line[end] == '{')) Argument(line, &end);
      if (left_out_.empty() && Has(kLeftOut, name)) left_out_ = std::string(name);
      if (left_out_.empty()) End();
    } else if (left_out_ == name) {
      left_out_.clear();
    } else if (left_out_.empty()) {
      End();
    }
    return end;
  }

  static void SkipArguments(absl::string_view line, size_t* at) {
    while (*at < line.size() && (line[*at] == '{' || line[*at] == '[')) Argument(line, at);
  }

  Draft draft_;
  Paragraph paragraph_;
  std::string out_;       // of this line
  std::string left_out_;  // the environment that is skipped
  int number_ = 0, paragraphs_ = 0;
  bool in_preamble_ = false, heading_ = false;
};

}  // namespace

Draft ReadLatex(absl::string_view text) { return LatexReader().Read(text); }

}  // namespace scm::claims
