#include "model/tokenize/word_characters.h"

#include <memory>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/str_cat.h"
#include "common/utf8.h"
#include "model/tokenize/newer_unicode.h"

namespace scm::model {
namespace {

// Rust's \w: alphabetic, marks, decimal digits, connectors, the two joiners.
const pcre2_code* WordCode() {
  static const pcre2_code* const code = [] {
    const std::string pattern = absl::StrCat(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d})",
                                             kNewerWordCharacters, "]");
    int error = 0;
    PCRE2_SIZE offset = 0;
    return pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                         PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  }();
  return code;
}

bool IsAsciiWord(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

// Where the last character begins; `text` is not empty.
size_t LastCharacter(absl::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (text[at] & 0xc0) == 0x80) --at;
  return at;
}

}  // namespace

bool BeginsWithWord(absl::string_view text) {
  if (text.empty()) return false;
  if (static_cast<unsigned char>(text[0]) < 0x80) return IsAsciiWord(text[0]);
  struct Free {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  const std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create(1, nullptr));
  return WordCode() != nullptr && data != nullptr &&
         pcre2_match(WordCode(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                     PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, data.get(), nullptr) >= 0;
}

bool EndsWithWord(absl::string_view text) {
  return !text.empty() && BeginsWithWord(text.substr(LastCharacter(text)));
}

size_t LeadingSpace(absl::string_view text) {
  size_t done = 0;
  for (size_t at = 0; at < text.size(); done = at) {
    if (!IsSpace(NextCodePoint(text, at))) break;
  }
  return done;
}

size_t TrailingSpace(absl::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const size_t begin = LastCharacter(text.substr(0, end));
    size_t at = begin;
    if (!IsSpace(NextCodePoint(text, at))) break;
    end = begin;
  }
  return text.size() - end;
}

}  // namespace scm::model
