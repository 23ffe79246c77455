// Byte-level BPE (GPT-2 byte map, Llama-3 / SmolLM2 pre-tokenisers through PCRE2). Immutable after
// construction and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::model {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // No start token is added. Special tokens in the text are recognised only with `parse_special`.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                                      bool parse_special = false) const = 0;
  virtual std::string Decode(const std::vector<int32_t>& tokens) const = 0;
  virtual int64_t vocabulary_size() const = 0;
  virtual int32_t bos_token() const = 0;  // −1 = none
  virtual int32_t eos_token() const = 0;
  // Whether the model's own configuration puts a start token before every text (Llama-3 does,
  // SmolLM2 does not). Callers that build prompts obey this, so that there is exactly one or none.
  virtual bool adds_bos() const = 0;
  // The first special token whose text stands in `text` ("<|im_start|>"), or "" when none does.
  virtual std::string FindSpecial(absl::string_view text) const = 0;
  // Where other programs read this tokenizer's files otherwise, in sentences.
  virtual std::vector<std::string> warnings() const { return {}; }
};

}  // namespace scm::model
