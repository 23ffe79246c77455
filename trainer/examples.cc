#include "trainer/examples.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm {
namespace {

bool PutsStartToken(const Tokenizer& tokenizer) {
  return tokenizer.adds_bos() && tokenizer.bos_token() >= 0;
}

std::string WithoutTrailingSpace(const std::string& prompt) {
  const size_t last = prompt.find_last_not_of(" \t\r\n\f\v");
  return last == std::string::npos ? "" : prompt.substr(0, last + 1);
}

// Cuts the beginning of the prompt so that `max_length` tokens remain.
absl::Status FitLength(int64_t max_length, bool start_token, TokenExample* example) {
  const int64_t size = static_cast<int64_t>(example->tokens.size());
  const int64_t excess = size - max_length;
  if (excess <= 0) return absl::OkStatus();
  const int64_t kept_front = start_token ? 1 : 0;
  // At least one token must stay before the answer.
  const int64_t removable = example->answer_start - std::max<int64_t>(kept_front, 1);
  if (excess > removable) {
    return absl::InvalidArgumentError(absl::StrCat("an answer of ", example->labels(),
                                                   " tokens does not fit into data.max_length ",
                                                   max_length, "; raise it or shorten the choice"));
  }
  const auto first = example->tokens.begin() + kept_front;
  example->tokens.erase(first, first + excess);
  example->answer_start -= excess;
  example->cut = excess;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TokenExample>> ChoiceExamples(const Tokenizer& tokenizer,
                                                         const std::string& prompt,
                                                         const std::vector<std::string>& choices,
                                                         int64_t max_length) {
  const bool start_token = PutsStartToken(tokenizer);
  const std::string context = WithoutTrailingSpace(prompt);
  SCM_ASSIGN_OR_RETURN(const std::vector<int32_t> context_tokens, tokenizer.Encode(context));
  if (context_tokens.empty() && !start_token) {
    return absl::InvalidArgumentError("the prompt is empty, so its answer has no context");
  }
  std::vector<TokenExample> examples;
  examples.reserve(choices.size());
  for (const std::string& choice : choices) {
    SCM_ASSIGN_OR_RETURN(std::vector<int32_t> joint,
                         tokenizer.Encode(absl::StrCat(prompt, " ", choice)));
    if (joint.size() <= context_tokens.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the choice \"", choice, "\" adds no token to its prompt"));
    }
    TokenExample example;
    example.answer_start = static_cast<int64_t>(context_tokens.size()) + (start_token ? 1 : 0);
    if (start_token) joint.insert(joint.begin(), tokenizer.bos_token());
    example.tokens = std::move(joint);
    SCM_RETURN_IF_ERROR(FitLength(max_length, start_token, &example));
    examples.push_back(std::move(example));
  }
  return examples;
}

absl::StatusOr<std::vector<TokenExample>> TextExamples(const Tokenizer& tokenizer,
                                                       const std::string& text,
                                                       int64_t max_length) {
  SCM_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, tokenizer.Encode(text));
  if (PutsStartToken(tokenizer)) tokens.insert(tokens.begin(), tokenizer.bos_token());
  std::vector<TokenExample> pieces;
  for (size_t start = 0; start + 1 < tokens.size();) {
    const size_t end = std::min(tokens.size(), start + static_cast<size_t>(max_length));
    TokenExample piece;
    piece.tokens.assign(tokens.begin() + start, tokens.begin() + end);
    pieces.push_back(std::move(piece));
    start = end - 1;
  }
  return pieces;
}

}  // namespace scm
