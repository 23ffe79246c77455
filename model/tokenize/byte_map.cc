#include "model/tokenize/byte_map.h"

#include <array>
#include <cstdint>

#include "common/utf8.h"

namespace scm::model {
namespace {

constexpr int kCharacters = 256 + 68;

struct Map {
  std::array<char32_t, 256> character;
  std::array<int16_t, kCharacters> byte;  // −1 = outside the map
};

constexpr Map MakeMap() {
  Map map{};
  for (int16_t& byte : map.byte) byte = -1;
  char32_t next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    map.character[b] = printable ? static_cast<char32_t>(b) : next++;
    map.byte[map.character[b]] = static_cast<int16_t>(b);
  }
  return map;
}

constexpr Map kMap = MakeMap();

}  // namespace

std::optional<std::string> BytesFromMapped(absl::string_view text) {
  if (FirstInvalidUtf8(text) != text.npos) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t character = NextCodePoint(text, at);
    if (character >= kCharacters || kMap.byte[character] < 0) return std::nullopt;
    bytes += static_cast<char>(kMap.byte[character]);
  }
  return bytes;
}

std::string MappedFromBytes(absl::string_view bytes) {
  std::string text;
  for (const char byte : bytes) AppendCodePoint(kMap.character[static_cast<uint8_t>(byte)], text);
  return text;
}

}  // namespace scm::model
