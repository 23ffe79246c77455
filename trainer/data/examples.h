// Texts to token examples. What is trained and scored is `prompt + " " + choice`. Training may put
// the tokenizer's end token behind it (`end_token`), so that the model learns to stop there;
// scoring never does, because the score of a choice is the likelihood of exactly its text. A start
// token is put in front once where the tokenizer's own configuration does so (Llama-3), and not
// otherwise (SmolLM2).
//
// The answer starts where lm-evaluation-harness puts it: prompt and choice are tokenised as one
// text, white space at the end of the prompt (as Python's str.rstrip knows it) counts to the
// answer, and the answer's tokens are those after the first tokens(prompt) of the joint text.
// Special tokens in the text are plain text, or their ids with `parse_special`.
//
// Pure; thread-safe with an immutable tokenizer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer.h"

namespace scm::trainer {

struct TokenExample {
  std::vector<int32_t> tokens;  // start token included
  int64_t answer_start = 1;     // tokens[answer_start …) are predicted, ≥ 1
  int64_t cut = 0;              // tokens of the prompt that max_length cut away
  // Of a conversation: for each token whether it is predicted, none before answer_start. Empty
  // where all from there on are.
  std::vector<bool> predicted = {};

  bool is_label(int64_t token) const {
    return token >= answer_start && (predicted.empty() || predicted[static_cast<size_t>(token)]);
  }
  int64_t labels() const {
    if (predicted.empty()) return static_cast<int64_t>(tokens.size()) - answer_start;
    return std::count(predicted.begin(), predicted.end(), true);
  }
  // Positions that the model reads: the last token is only ever predicted.
  int64_t inputs() const { return static_cast<int64_t>(tokens.size()) - 1; }
};

struct ExampleOptions {
  int64_t max_length = 512;    // tokens, start and end token included
  bool parse_special = false;  // the markup of special tokens in the text becomes their ids
  bool end_token = false;      // behind every answer or text, if the tokenizer has one
};

// `text` without the white space at its end, as Python's str.rstrip leaves it. UTF-8.
absl::string_view WithoutTrailingSpace(absl::string_view text);

// One example a choice. An example longer than `max_length` tokens loses the beginning of its
// prompt (its start token stays) and says so in `cut`. INVALID_ARGUMENT when an answer alone does
// not fit, or is empty after tokenisation.
absl::StatusOr<std::vector<TokenExample>> ChoiceExamples(const model::Tokenizer& tokenizer,
                                                         const std::string& prompt,
                                                         const std::vector<std::string>& choices,
                                                         const ExampleOptions& options);

// A running text of which every token is predicted, in as many consecutive pieces as `max_length`
// demands. A piece after the first repeats the last token of the one before as its context, so that
// no token is predicted twice or left out. Empty for texts of fewer than two tokens.
absl::StatusOr<std::vector<TokenExample>> TextExamples(const model::Tokenizer& tokenizer,
                                                       const std::string& text,
                                                       const ExampleOptions& options);

}  // namespace scm::trainer
