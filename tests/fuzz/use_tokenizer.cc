#include "tests/fuzz/use_tokenizer.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/utf8.h"
#include "model/tokenize/tokenizer_json.h"
#include "model/tokenizer.h"
#include "tests/fuzz/require.h"

namespace scm::fuzz {
namespace {

using model::AddedToken;
using model::Tokenizer;
using model::TokenizerParts;

constexpr size_t kLongest = 64;

// Some of every kind, and tokens of the file itself.
std::vector<std::string> Texts(const TokenizerParts& parts) {
  std::vector<std::string> texts = {"hola <|a|> 12 ñ\n\n x", "", "  a\t<|b|>_",
                                    "e\u0301 \U0001f600\u00a0I'll \u4e2d", std::string(50, 'a')};
  const auto add = [&](const std::string& token) {
    if (token.empty() || token.size() > kLongest || FirstInvalidUtf8(token) != token.npos) return;
    texts.push_back(token + " x" + token);
  };
  const size_t added = std::min<size_t>(parts.added.size(), 3);
  for (size_t i = 0; i < added; ++i) add(parts.added[i].content);
  const std::vector<std::string>& tokens = parts.vocabulary.tokens;
  for (size_t i = 0; i < 3 && i < tokens.size(); ++i) add(tokens[tokens.size() - 1 - i]);
  return texts;
}

// Whether ids stand for the text's own bytes: none is taken away or changed before it is encoded,
// and an added token has no bytes beside its own text.
bool KeepsBytes(const TokenizerParts& parts) {
  const std::vector<std::string>& tokens = parts.vocabulary.tokens;
  return !parts.nfc && std::all_of(parts.added.begin(), parts.added.end(), [&](const auto& token) {
    const auto id = static_cast<size_t>(token.id);
    return !token.lstrip && !token.rstrip &&
           (id >= tokens.size() || tokens[id].empty() || tokens[id] == token.content);
  });
}

// The bytes that the ids stand for.
std::string BytesOf(const std::vector<int32_t>& ids, const TokenizerParts& parts) {
  std::map<int32_t, std::string> added;
  for (const AddedToken& token : parts.added) added[token.id] = token.content;
  std::string bytes;
  for (const int32_t id : ids) {
    const auto it = added.find(id);
    bytes += it != added.end() ? it->second : parts.vocabulary.tokens[id];
  }
  return bytes;
}

// Without the bytes that the vocabulary lacks.
std::string KnownPart(const std::string& text, const TokenizerParts& parts) {
  bool known[256] = {};
  for (const std::string& token : parts.vocabulary.tokens) {
    if (token.size() == 1) known[static_cast<uint8_t>(token[0])] = true;
  }
  std::string out;
  for (const char byte : text) {
    if (known[static_cast<uint8_t>(byte)]) out += byte;
  }
  return out;
}

bool IsSubsequence(const std::string& part, const std::string& whole) {
  size_t at = 0;
  for (const char byte : whole) at += at < part.size() && part[at] == byte;
  return at == part.size();
}

std::vector<int32_t> Encoded(const Tokenizer& tokenizer, const std::string& text, bool special) {
  const auto ids = tokenizer.Encode(text, special);
  // An expression may be too slow for a text; any other text has ids.
  Require(ids.ok() || ids.status().code() == absl::StatusCode::kResourceExhausted,
          "a text is refused");
  return ids.ok() ? *ids : std::vector<int32_t>();
}

void CheckText(const Tokenizer& tokenizer, const TokenizerParts& parts, const std::string& text,
               bool special) {
  if (!tokenizer.Encode(text, special).ok()) return;
  const std::vector<int32_t> ids = Encoded(tokenizer, text, special);
  for (const int32_t id : ids) {
    Require(id >= 0 && id < tokenizer.vocabulary_size(), "an id outside the vocabulary");
  }
  const std::string decoded = tokenizer.Decode(ids);
  Require(FirstInvalidUtf8(decoded) == decoded.npos, "decoded text is not UTF-8");
  if (!KeepsBytes(parts)) return;
  const std::string bytes = BytesOf(ids, parts);
  Require(IsSubsequence(bytes, text), "decoding gives what was not encoded");
  Require(IsSubsequence(KnownPart(text, parts), bytes), "a byte of the vocabulary is lost");
}

// A tokenizer.json may be impossible, where ids have gaps; one that is read means the same.
void CheckWritten(const Tokenizer& tokenizer, const TokenizerParts& parts,
                  const std::vector<std::string>& texts, int64_t limit) {
  const auto again = model::TokenizerFromJson(model::TokenizerJsonText(parts), {}, limit, "again");
  if (!again.ok()) return;
  for (const std::string& text : texts) {
    for (const bool special : {false, true}) {
      Require(Encoded(tokenizer, text, special) == Encoded(**again, text, special),
              "the written tokenizer.json gives other ids");
    }
  }
}

}  // namespace

void UseTokenizer(const TokenizerParts& parts, int64_t limit) {
  const auto tokenizer = model::MakeBpeTokenizer(parts, limit, "input");
  if (!tokenizer.ok()) return;
  Require((*tokenizer)->vocabulary_size() <= limit, "more tokens than rows");
  Require(!(*tokenizer)->adds_bos() || (*tokenizer)->bos_token() >= 0, "no start token to add");
  const std::vector<std::string> texts = Texts(parts);
  for (const std::string& text : texts) {
    for (const bool special : {false, true}) CheckText(**tokenizer, parts, text, special);
    const std::string found = (*tokenizer)->FindSpecial(text);
    Require(text.find(found) != text.npos, "a special token is found that is not there");
  }
  CheckWritten(**tokenizer, parts, texts, limit);
}

}  // namespace scm::fuzz
