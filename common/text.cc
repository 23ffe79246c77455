#include "common/text.h"

#include "common/utf8.h"

namespace scm {
namespace {

constexpr absl::string_view kEllipsis = "…";
constexpr char32_t kReplacementCharacter = 0xfffd;

bool Steers(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

size_t EncodedBytes(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

std::string Clean(absl::string_view bytes, size_t limit, bool one_line) {
  // A character takes at most three bytes more than the ill-formed byte that it replaces.
  const std::string text =
      ReplaceInvalidUtf8(bytes.substr(0, limit > bytes.size() ? bytes.npos : limit + 8));
  std::string out;
  size_t cut = 0;  // where the text ends if an ellipsis must follow
  for (size_t at = 0; at < text.size();) {
    char32_t c = NextCodePoint(text, at);
    if (c == '\n' || c == '\t') {
      if (one_line) c = ' ';
    } else if (Steers(c)) {
      c = kReplacementCharacter;
    }
    if (out.size() + EncodedBytes(c) > limit) {
      out.resize(cut);
      return kEllipsis.size() <= limit ? out.append(kEllipsis.data(), kEllipsis.size()) : out;
    }
    AppendCodePoint(c, out);
    if (out.size() + kEllipsis.size() <= limit) cut = out.size();
  }
  return out;
}

}  // namespace

std::string TextOf(absl::string_view bytes, size_t limit) { return Clean(bytes, limit, false); }
std::string LineOf(absl::string_view bytes, size_t limit) { return Clean(bytes, limit, true); }

}  // namespace scm
