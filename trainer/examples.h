// Texts to token examples. What is trained and scored is `prompt + " " + choice`, nothing more: no
// end-of-text token is appended, because the score of a choice is the likelihood of exactly that
// text and training must not teach a token that scoring never asks for. A start token is put in
// front once where the tokenizer's own configuration does so (Llama-3), and not otherwise
// (SmolLM2).
//
// The answer starts where lm-evaluation-harness puts it: prompt and choice are tokenised as one
// text, spaces at the end of the prompt count to the answer, and the answer's tokens are those
// after the first tokens(prompt) of the joint text. Special tokens in the text are plain text.
//
// Pure; thread-safe with an immutable tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/tokenizer.h"

namespace scm {

struct TokenExample {
  std::vector<int32_t> tokens;  // start token included
  int64_t answer_start = 1;     // tokens[answer_start …) are predicted, ≥ 1
  int64_t cut = 0;              // tokens of the prompt that max_length cut away
  int64_t labels() const { return static_cast<int64_t>(tokens.size()) - answer_start; }
  // Positions that the model reads: the last token is only ever predicted.
  int64_t inputs() const { return static_cast<int64_t>(tokens.size()) - 1; }
};

// One example a choice. An example longer than `max_length` tokens loses the beginning of its
// prompt (its start token stays) and says so in `cut`. INVALID_ARGUMENT when an answer alone does
// not fit, or is empty after tokenisation.
absl::StatusOr<std::vector<TokenExample>> ChoiceExamples(const Tokenizer& tokenizer,
                                                         const std::string& prompt,
                                                         const std::vector<std::string>& choices,
                                                         int64_t max_length);

// A running text of which every token is predicted, in as many consecutive pieces as `max_length`
// demands. A piece after the first repeats the last token of the one before as its context, so that
// no token is predicted twice or left out. Empty for texts of fewer than two tokens.
absl::StatusOr<std::vector<TokenExample>> TextExamples(const Tokenizer& tokenizer,
                                                       const std::string& text, int64_t max_length);

}  // namespace scm
