#include "claims/markdown.h"

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "claims/sentences.h"

namespace scm::claims {
namespace {

bool IsFence(absl::string_view line) {
  return absl::StartsWith(line, "```") || absl::StartsWith(line, "~~~");
}

// "- ", "* ", "3. ", "> ", "## " at the start of a line; what is left in *rest.
bool StartsBlock(absl::string_view line, absl::string_view* rest) {
  size_t i = 0;
  while (i < line.size() && (line[i] == '#' || line[i] == '>')) ++i;
  if (i == 0 && absl::StrContains("-*+", line.substr(0, 1))) i = 1;
  if (i == 0) {
    while (i < line.size() && absl::ascii_isdigit(static_cast<unsigned char>(line[i]))) ++i;
    if (i > 0 && i < line.size() && (line[i] == '.' || line[i] == ')')) {
      ++i;
    } else {
      i = 0;
    }
  }
  if (i == 0 || (i < line.size() && line[i] != ' ')) return false;
  *rest = absl::StripAsciiWhitespace(line.substr(i));
  return true;
}

// What stands in brackets at `at`, and whether a target in parentheses follows; *end is behind all.
absl::string_view Bracketed(absl::string_view line, size_t at, bool* link, size_t* end) {
  const size_t close = line.find(']', at);
  if (close == absl::string_view::npos) return {};
  *end = close + 1;
  *link = *end < line.size() && line[*end] == '(';
  if (*link) {
    const size_t behind = line.find(')', *end);
    *end = behind == absl::string_view::npos ? line.size() : behind + 1;
  }
  return line.substr(at + 1, close - at - 1);
}

// [12], [12, 13], [@smith], [^1].
bool IsCitation(absl::string_view inside) {
  if (inside.empty()) return false;
  if (inside.front() == '@' || inside.front() == '^') return true;
  bool digits = false;
  for (char c : inside) {
    const bool digit = absl::ascii_isdigit(static_cast<unsigned char>(c));
    if (!digit && c != ',' && c != ' ' && c != '-') return false;
    digits = digits || digit;
  }
  return digits;
}

// Whether the dollar signs of a line are of amounts, not around formulas.
bool DollarsAreMoney(absl::string_view line) {
  for (size_t i = line.find('$'); i != absl::string_view::npos; i = line.find('$', i + 1)) {
    if (i + 1 >= line.size() || !absl::ascii_isdigit(static_cast<unsigned char>(line[i + 1]))) {
      return false;
    }
  }
  return true;
}

// Text of a line without its markup.
std::string Plain(absl::string_view line) {
  const bool money = DollarsAreMoney(line);
  std::string out;
  for (size_t i = 0; i < line.size();) {
    const char c = line[i];
    if (c == '\\' && i + 1 < line.size()) {
      out.push_back(line[i + 1] == ',' || line[i + 1] == ' ' ? ' ' : line[i + 1]);  // "64\\,%"
      i += 2;
    } else if (c == '[') {
      bool link = false;
      size_t end = i + 1;
      const absl::string_view inside = Bracketed(line, i, &link, &end);
      if (inside.data() == nullptr || (!link && !IsCitation(inside))) {
        out.push_back(c);
        ++i;
        continue;
      }
      out += link ? Plain(inside) : std::string(kCitation);
      i = end;
    } else if (c == '`' || c == '*' || (c == '!' && i + 1 < line.size() && line[i + 1] == '[')) {
      ++i;
    } else if (c == '$' && !money) {
      ++i;
    } else {
      out.push_back(c);
      ++i;
    }
  }
  return out;
}

class MarkdownReader {
 public:
  Draft Read(absl::string_view text) {
    int number = 0;
    for (absl::string_view line : absl::StrSplit(text, '\n')) Add(line, ++number);
    End();
    return std::move(draft_);
  }

 private:
  void End() {
    if (!paragraph_.empty()) paragraph_.MoveTo(++paragraphs_, &draft_.sentences);
  }

  // Front matter, code and comments; true: nothing of the line is text.
  bool Skip(absl::string_view line, int number) {
    if (line == "---" && (number == 1 || front_matter_)) {
      front_matter_ = number == 1;
      return true;
    }
    if (front_matter_) return true;
    if (IsFence(line)) {
      End();
      code_ = !code_;
      return true;
    }
    if (code_) return true;
    if (absl::StartsWith(line, "<!--")) comment_ = true;
    if (!comment_) return false;
    if (absl::StrContains(line, "-->")) comment_ = false;
    return true;
  }

  void Add(absl::string_view raw, int number) {
    absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (Skip(line, number)) return;
    if (line.empty()) return End();
    if (line.front() == '|') {
      End();
      ++draft_.table_rows;
      return;
    }
    const bool heading = line.front() == '#';
    absl::string_view rest;
    if (StartsBlock(line, &rest)) {
      End();
      line = rest;
    }
    paragraph_.Append(Plain(line), number);
    if (heading) End();
  }

  Draft draft_;
  Paragraph paragraph_;
  int paragraphs_ = 0;
  bool front_matter_ = false, code_ = false, comment_ = false;
};

}  // namespace

Draft ReadMarkdown(absl::string_view text) { return MarkdownReader().Read(text); }

}  // namespace scm::claims
