#include "claims/sentences.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace scm::claims {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// A full stop after these ends no sentence.
bool EndsWithAbbreviation(absl::string_view before) {
  static const char* const kAbbreviations[] = {
      "e.g", "i.e", "al",   "vs",   "fig", "figs", "tab", "sec", "eq",  "cf",  "approx", "no",
      "art", "ej",  "p.ej", "resp", "dr",  "sr",   "sra", "ec",  "núm", "pág", "ca"};
  size_t begin = before.size();
  while (begin > 0 && !IsSpace(before[begin - 1]) && before[begin - 1] != '(') --begin;
  const std::string word = absl::AsciiStrToLower(before.substr(begin));
  return std::any_of(std::begin(kAbbreviations), std::end(kAbbreviations),
                     [&](const char* one) { return word == one; });
}

// Whether a sentence may begin here: not in lower case.
bool MayBegin(absl::string_view rest) {
  return !rest.empty() && !absl::ascii_islower(static_cast<unsigned char>(rest.front()));
}

bool EndsAt(absl::string_view text, size_t i) {
  const char c = text[i];
  if (c != '.' && c != '?' && c != '!') return false;
  size_t next = i + 1;
  while (next < text.size() && absl::StrContains(")]\"'", text.substr(next, 1))) ++next;
  if (next == text.size()) return true;
  if (!IsSpace(text[next])) return false;
  if (c == '.' && EndsWithAbbreviation(text.substr(0, i))) return false;
  while (next < text.size() && IsSpace(text[next])) ++next;
  return next == text.size() || MayBegin(text.substr(next));
}

}  // namespace

void Paragraph::Append(absl::string_view text, int line) {
  text_.append(text.data(), text.size());
  text_.push_back(' ');
  lines_.resize(text_.size(), line);
}

void Paragraph::MoveTo(int number, std::vector<DraftSentence>* sentences) {
  size_t begin = 0;
  const auto add = [&](size_t end) {
    while (begin < end && IsSpace(text_[begin])) ++begin;
    const std::string text(
        absl::StripAsciiWhitespace(absl::string_view(text_).substr(begin, end - begin)));
    if (!text.empty()) sentences->push_back({lines_[begin], text, number});
    begin = end;
  };
  for (size_t i = 0; i < text_.size(); ++i) {
    if (EndsAt(text_, i)) add(i + 1);
  }
  add(text_.size());
  text_.clear();
  lines_.clear();
}

}  // namespace scm::claims
