#include "common/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "absl/strings/ascii.h"

namespace scm {
namespace {

// Length of the longest prefix at `at` that could begin a well-formed character, and whether it is
// a whole character.
struct Step {
  size_t bytes;
  bool valid;
};

Step DecodeAt(absl::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return {1, true};
  if (lead < 0xc2 || lead > 0xf4) return {1, false};
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
  uint8_t low = 0x80, high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  for (size_t i = 1; i < length; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {length, true};
}

}  // namespace

size_t FirstInvalidUtf8(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t eight = 0;
    if (at + 8 <= text.size()) {
      std::memcpy(&eight, text.data() + at, 8);
      if ((eight & 0x8080808080808080) == 0) {
        at += 8;
        continue;
      }
    }
    const Step step = DecodeAt(text, at);
    if (!step.valid) return at;
    at += step.bytes;
  }
  return text.npos;
}

std::string ReplaceInvalidUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Step step = DecodeAt(text, at);
    if (step.valid) {
      out.append(text.data() + at, step.bytes);
    } else {
      out.append("\xef\xbf\xbd");
    }
    at += step.bytes;
  }
  return out;
}

int EscapedUnit(absl::string_view text, size_t at) {
  if (at + 6 > text.size() || text.substr(at, 2) != "\\u") return -1;
  const absl::string_view digits = text.substr(at + 2, 4);
  if (!std::all_of(digits.begin(), digits.end(), absl::ascii_isxdigit)) return -1;
  return static_cast<int>(std::strtol(std::string(digits).c_str(), nullptr, 16));
}

char32_t NextCodePoint(absl::string_view text, size_t& at) {
  const auto lead = static_cast<uint8_t>(text[at++]);
  if (lead < 0x80) return lead;
  const int more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  char32_t code_point = lead & (0x3f >> more);
  for (int i = 0; i < more; ++i) code_point = code_point << 6 | (text[at++] & 0x3f);
  return code_point;
}

void AppendCodePoint(char32_t c, std::string& out) {
  const auto add = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xc0 | c >> 6);
    add(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    add(0xe0 | c >> 12);
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  } else {
    add(0xf0 | c >> 18);
    add(0x80 | (c >> 12 & 0x3f));
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  }
}

}  // namespace scm
