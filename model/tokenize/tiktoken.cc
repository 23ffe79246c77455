#include "model/tokenize/tiktoken.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "model/tokenize/pretokenizer.h"
#include "model/tokenize/tokenizer_agreement.h"

namespace scm::model {
namespace {

// Real tokens have at most 128 bytes. Every cut of each is looked up, so that long ones would only
// cost time.
constexpr size_t kMaxTokenBytes = 512;
constexpr size_t kLlama3Ranks = 128000, kLlama3Special = 256;

absl::Status RefuseRanks(const std::string& what, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", problem));
}

// One "BASE64 RANK"; false when it is none.
bool ParseRank(absl::string_view line, std::string* token, int64_t* rank) {
  const size_t space = line.find(' ');
  return space != line.npos && absl::SimpleAtoi(line.substr(space + 1), rank) && *rank >= 0 &&
         absl::Base64Unescape(line.substr(0, space), token) && !token->empty();
}

absl::Status ReadRanks(absl::string_view text, const std::string& what, TokenizerParts* parts) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  // Gaps are possible, but not so many that a small file would need much memory.
  const auto limit = static_cast<int64_t>(lines.size()) * 2 + 65536;
  std::vector<std::string>& tokens = parts->vocabulary.tokens;
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string token;
    int64_t rank = -1;
    if (!ParseRank(absl::StripSuffix(lines[i], "\r"), &token, &rank)) {
      return RefuseRanks(
          what, absl::StrCat("line ", i + 1,
                             " is not a token in base64 and its rank, as tiktoken writes them. "
                             "SentencePiece models are not supported; a tokenizer.json is"));
    }
    if (token.size() > kMaxTokenBytes) {
      return RefuseRanks(what, absl::StrCat("line ", i + 1, ": a token of ", token.size(),
                                            " bytes, expected at most ", kMaxTokenBytes));
    }
    if (rank >= limit) {
      return RefuseRanks(what, absl::StrCat("line ", i + 1, ": rank ", rank, " in a file of ",
                                            lines.size(), " lines"));
    }
    if (static_cast<size_t>(rank) >= tokens.size()) tokens.resize(rank + 1);
    if (!tokens[rank].empty()) {
      return RefuseRanks(what, absl::StrCat("line ", i + 1, ": rank ", rank, " is there twice"));
    }
    tokens[rank] = std::move(token);
  }
  if (tokens.empty()) return RefuseRanks(what, "holds no tokens");
  return absl::OkStatus();
}

// Those of Llama 3, in the order of their ids.
std::vector<std::string> Llama3Special() {
  std::vector<std::string> names = {"<|begin_of_text|>",
                                    "<|end_of_text|>",
                                    "<|reserved_special_token_0|>",
                                    "<|reserved_special_token_1|>",
                                    "<|finetune_right_pad_id|>",
                                    "<|step_id|>",
                                    "<|start_header_id|>",
                                    "<|end_header_id|>",
                                    "<|eom_id|>",
                                    "<|eot_id|>",
                                    "<|python_tag|>",
                                    "<|image|>"};
  for (int next = 2; names.size() < kLlama3Special; ++next) {
    names.push_back(absl::StrCat("<|reserved_special_token_", next, "|>"));
  }
  return names;
}

class TiktokenReader {
 public:
  TiktokenReader(const TokenizerSettings& settings, const std::string& what)
      : settings_(settings), what_(what) {}

  absl::StatusOr<TokenizerParts> Read(absl::string_view text) {
    SCM_RETURN_IF_ERROR(ReadRanks(text, what_, &parts_));
    IndexRanks();
    parts_.vocabulary.merges_by_id = parts_.vocabulary.ignore_merges = true;
    parts_.patterns = {kLlama3Pattern};
    const bool llama3 = AddSpecial();
    SCM_RETURN_IF_ERROR(CheckFree());
    SCM_RETURN_IF_ERROR(ApplyTokenizerConfig(View(), settings_, what_, &parts_));
    parts_.adds_bos = settings_.add_bos.value_or(llama3);
    SCM_ASSIGN_OR_RETURN(parts_.bos, Named("bos_token", settings_.bos, settings_.bos_id));
    SCM_ASSIGN_OR_RETURN(parts_.eos, Named("eos_token", settings_.eos, settings_.eos_id));
    if (llama3 && parts_.bos < 0) parts_.bos = kLlama3Ranks;
    return std::move(parts_);
  }

 private:
  void IndexRanks() {
    const std::vector<std::string>& tokens = parts_.vocabulary.tokens;
    ranks_.reserve(tokens.size());
    for (size_t id = 0; id < tokens.size(); ++id) {
      if (!tokens[id].empty()) ranks_.emplace(tokens[id], static_cast<int64_t>(id));
    }
  }

  // Whether they are Llama 3's own.
  bool AddSpecial() {
    for (const AddedToken& token : settings_.decoder) parts_.added.push_back(token);
    if (!settings_.decoder.empty() || parts_.vocabulary.tokens.size() != kLlama3Ranks) return false;
    int32_t id = kLlama3Ranks;
    for (std::string& name : Llama3Special()) {
      parts_.added.push_back({std::move(name), id++, /*special=*/true});
    }
    return true;
  }

  absl::Status CheckFree() const {
    for (const AddedToken& token : parts_.added) {
      const std::string* other = At(token.id);
      if (other == nullptr || *other == token.content) continue;
      return RefuseRanks(what_,
                         absl::StrCat("the token \"", absl::Utf8SafeCHexEscape(token.content),
                                      "\" of tokenizer_config.json (added_tokens_decoder) has id ",
                                      token.id, ", which is the rank of another token"));
    }
    return absl::OkStatus();
  }

  // The token of this rank, or null.
  const std::string* At(int64_t id) const {
    const std::vector<std::string>& tokens = parts_.vocabulary.tokens;
    if (id < 0 || static_cast<size_t>(id) >= tokens.size() || tokens[id].empty()) return nullptr;
    return &tokens[id];
  }

  VocabularyView View() const {
    return {parts_.vocabulary.tokens.size(),
            [this](const std::string& text) -> int64_t {
              const auto at = ranks_.find(text);
              return at == ranks_.end() ? -1 : at->second;
            },
            [this](int64_t id) { return At(id) != nullptr; }};
  }

  absl::StatusOr<int32_t> Named(const char* key, const std::optional<std::string>& text,
                                int64_t id) const {
    constexpr int64_t kMost = 1 << 24;
    if (!text) return static_cast<int32_t>(std::clamp<int64_t>(id, -1, kMost));
    for (const AddedToken& token : parts_.added) {
      if (token.content == *text) return token.id;
    }
    if (const int64_t rank = View().find(*text); rank >= 0) return static_cast<int32_t>(rank);
    return RefuseRanks(what_, absl::StrCat("tokenizer_config.json names the ", key, " \"", *text,
                                           "\", which has no id: list it in added_tokens_decoder"));
  }

  const TokenizerSettings& settings_;
  const std::string& what_;
  TokenizerParts parts_;
  absl::flat_hash_map<absl::string_view, int64_t> ranks_;  // views into parts_.vocabulary.tokens
};

}  // namespace

absl::StatusOr<TokenizerParts> TokenizerPartsFromTiktoken(absl::string_view text,
                                                          const TokenizerSettings& settings,
                                                          const std::string& what) {
  return TiktokenReader(settings, what).Read(text);
}

}  // namespace scm::model
