#include "corpus/text.h"

namespace scm::corpus {
namespace {

// Decodes the code point at `*position` and moves behind it; nullopt when it is not well-formed.
std::optional<uint32_t> NextCodePoint(absl::string_view text, size_t* position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(*position);
  if (lead < 0x80) {
    ++*position;
    return lead;
  }
  const int extra = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || *position + extra >= text.size()) return std::nullopt;
  uint32_t point = lead & (0x3F >> extra);
  for (int i = 1; i <= extra; ++i) {
    const unsigned char next = byte(*position + i);
    if ((next & 0xC0) != 0x80) return std::nullopt;
    point = (point << 6) | (next & 0x3F);
  }
  constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  if (point < kSmallest[extra] || point > 0x10FFFF) return std::nullopt;
  if (point >= 0xD800 && point <= 0xDFFF) return std::nullopt;
  *position += extra + 1;
  return point;
}

void Append(uint32_t point, std::string* out) {
  if (point < 0x80) {
    *out += static_cast<char>(point);
  } else if (point < 0x800) {
    *out += static_cast<char>(0xC0 | (point >> 6));
    *out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    *out += static_cast<char>(0xE0 | (point >> 12));
    *out += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    *out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    *out += static_cast<char>(0xF0 | (point >> 18));
    *out += static_cast<char>(0x80 | ((point >> 12) & 0x3F));
    *out += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    *out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

uint32_t Lower(uint32_t point) {
  if (point >= 'A' && point <= 'Z') return point + 32;
  if (point >= 0xC0 && point <= 0xDE && point != 0xD7) return point + 32;  // Latin-1
  if (point == 0x178) return 0xFF;                                         // Ÿ
  // Latin Extended-A pairs: even capitals, but odd ones in two stretches.
  const bool odd_capitals =
      (point >= 0x139 && point <= 0x148) || (point >= 0x179 && point <= 0x17E);
  if (odd_capitals) return point % 2 == 1 ? point + 1 : point;
  const bool even_capitals =
      (point >= 0x100 && point <= 0x137) || (point >= 0x14A && point <= 0x177);
  if (even_capitals && point != 0x130 && point != 0x131) return point % 2 == 0 ? point + 1 : point;
  return point;
}

bool IsSpace(uint32_t point) {
  return point == ' ' || (point >= 0x09 && point <= 0x0D) || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200B) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000 ||
         point == 0xFEFF;
}

bool IsPunctuation(uint32_t point) {
  if (point < 0x80) {
    const bool letter = (point | 0x20) >= 'a' && (point | 0x20) <= 'z';
    const bool digit = point >= '0' && point <= '9';
    return point > ' ' && !letter && !digit;
  }
  if (point <= 0xBF) return point != 0xAA && point != 0xB5 && point != 0xBA;  // not ª µ º
  return (point >= 0x2010 && point <= 0x205E) || (point >= 0x3001 && point <= 0x3003);
}

}  // namespace

int64_t CodePoints(absl::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

std::string Fold(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool space = false;
  for (size_t position = 0; position < text.size();) {
    std::optional<uint32_t> point = NextCodePoint(text, &position);
    if (!point) point = static_cast<unsigned char>(text[position++]);
    if (IsSpace(*point)) {
      space = true;
      continue;
    }
    if (space && !out.empty()) out += ' ';
    space = false;
    Append(Lower(*point), &out);
  }
  return out;
}

std::vector<std::string> FoldedWords(absl::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (size_t position = 0; position < text.size();) {
    std::optional<uint32_t> point = NextCodePoint(text, &position);
    if (!point) point = static_cast<unsigned char>(text[position++]);
    if (IsSpace(*point) || IsPunctuation(*point)) {
      finish();
    } else {
      Append(Lower(*point), &word);
    }
  }
  finish();
  return words;
}

}  // namespace scm::corpus
