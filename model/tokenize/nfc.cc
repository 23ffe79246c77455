#include "model/tokenize/nfc.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/utf8.h"

namespace scm::model {
namespace {

struct MarkRange {
  char32_t first, last;
  int order;  // canonical combining class
};
struct Pair {
  char32_t whole, first, second;
};

#include "model/tokenize/nfc_tables.inc"

// Hangul syllables are computed (Unicode, section 3.12).
constexpr char32_t kSyllable = 0xac00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11a7;
constexpr char32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;
// No character below it changes or is a mark.
constexpr unsigned char kFirstLeadByte = 0xcc;  // of U+0300

uint64_t PairKey(char32_t first, char32_t second) { return uint64_t{first} << 32 | second; }

struct NfcTables {
  absl::flat_hash_map<char32_t, const Pair*> parts;
  absl::flat_hash_map<uint64_t, char32_t> wholes;

  NfcTables() {
    for (const Pair& pair : kComposed) {
      parts.emplace(pair.whole, &pair);
      wholes.emplace(PairKey(pair.first, pair.second), pair.whole);
    }
    for (const Pair& pair : kDecomposed) parts.emplace(pair.whole, &pair);
  }
};

const NfcTables& Tables() {
  static const auto* const tables = new NfcTables;
  return *tables;
}

// 0 for what is no mark.
int OrderOf(char32_t c) {
  const MarkRange* const range =
      std::lower_bound(std::begin(kMarks), std::end(kMarks), c,
                       [](const MarkRange& range, char32_t c) { return range.last < c; });
  return range == std::end(kMarks) || c < range->first ? 0 : range->order;
}

struct Character {
  char32_t point;
  int order;
};

void Decompose(char32_t c, std::vector<Character>& out) {
  if (c >= kSyllable && c < kSyllable + kSyllables) {
    const char32_t index = c - kSyllable;
    out.push_back({kLead + index / (kVowels * kTails), 0});
    out.push_back({kVowel + index / kTails % kVowels, 0});
    if (index % kTails != 0) out.push_back({kTail + index % kTails, 0});
    return;
  }
  const auto parts = Tables().parts.find(c);
  if (parts == Tables().parts.end()) {
    out.push_back({c, OrderOf(c)});
    return;
  }
  Decompose(parts->second->first, out);
  if (parts->second->second != 0) Decompose(parts->second->second, out);
}

// Marks in a row by their order; those of one order keep theirs.
void SortMarks(std::vector<Character>& characters) {
  for (auto at = characters.begin(); at != characters.end();) {
    const auto is_starter = [](const Character& c) { return c.order == 0; };
    at = std::find_if_not(at, characters.end(), is_starter);
    const auto end = std::find_if(at, characters.end(), is_starter);
    std::stable_sort(at, end,
                     [](const Character& a, const Character& b) { return a.order < b.order; });
    at = end;
  }
}

// 0 when the two are no whole.
char32_t Whole(char32_t first, char32_t second) {
  if (first >= kLead && first < kLead + kLeads && second >= kVowel && second < kVowel + kVowels) {
    return kSyllable + ((first - kLead) * kVowels + second - kVowel) * kTails;
  }
  const bool open =
      first >= kSyllable && first < kSyllable + kSyllables && (first - kSyllable) % kTails == 0;
  if (open && second > kTail && second < kTail + kTails) return first + second - kTail;
  const auto whole = Tables().wholes.find(PairKey(first, second));
  return whole == Tables().wholes.end() ? 0 : whole->second;
}

// Each mark, and each character next to its starter, goes into the starter where nothing of the
// same or a higher order stands between.
void Compose(std::vector<Character>& characters) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t starter = kNone, kept = 0;
  int last = 0;  // order of what was kept behind the starter; −1 = nothing
  for (const Character c : characters) {
    if (starter != kNone && last < c.order) {
      const char32_t whole = Whole(characters[starter].point, c.point);
      if (whole != 0) {
        characters[starter].point = whole;
        continue;
      }
    }
    if (c.order == 0) {
      starter = kept;
      last = -1;
    } else {
      last = c.order;
    }
    characters[kept++] = c;
  }
  characters.resize(kept);
}

}  // namespace

bool MayNeedNfc(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= kFirstLeadByte; });
}

std::string ToNfc(absl::string_view text) {
  std::vector<Character> characters;
  characters.reserve(text.size());
  for (size_t at = 0; at < text.size();) Decompose(NextCodePoint(text, at), characters);
  SortMarks(characters);
  Compose(characters);
  std::string out;
  out.reserve(text.size());
  for (const Character& c : characters) AppendCodePoint(c.point, out);
  return out;
}

}  // namespace scm::model
