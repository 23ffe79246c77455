// Byte-level BPE tokenizers from Hugging Face's tokenizer.json.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/tokenize/bpe_tokenizer.h"

namespace scm::model {

// What tokenizer_config.json, special_tokens_map.json and config.json say beside tokenizer.json.
struct TokenizerSettings {
  std::optional<std::string> bos = {}, eos = {};  // as text, which goes before the ids
  int64_t bos_id = -1, eos_id = -1;
  // Said by add_bos_token. The post-processor decides, as in transformers 5; a contradiction is a
  // warning.
  std::optional<bool> add_bos = {};
  std::string tokenizer_class = {};  // "" = not said
  // Texts that are called special tokens (pad_token, additional_special_tokens, …).
  std::vector<std::string> special = {};
  // added_tokens_decoder: must name tokens of tokenizer.json, by the same ids.
  std::vector<AddedToken> decoder = {};
};

// INVALID_ARGUMENT naming the key for anything whose effect on the ids is not implemented: other
// models than BPE, normalizers other than NFC, other pre-tokenizers than Split (Isolated), Digits
// and ByteLevel, a post-processor that puts anything but one start token in front. Two places that
// say different things about one fact (a token's id, the start token) are refused with both named.
// An end token that the post-processor appends is left to the caller.
absl::StatusOr<TokenizerParts> TokenizerPartsFromJson(absl::string_view text,
                                                      const TokenizerSettings& settings,
                                                      const std::string& what);

// `limit`: rows of the embedding.
absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromJson(absl::string_view text,
                                                             const TokenizerSettings& settings,
                                                             int64_t limit,
                                                             const std::string& what);

// The file that TokenizerPartsFromJson reads back as the same parts, for models that come with a
// tokenizer of another format; transformers and tokenizers read it as well.
std::string TokenizerJsonText(const TokenizerParts& parts);

}  // namespace scm::model
