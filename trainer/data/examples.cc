#include "trainer/data/examples.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::trainer {
namespace {

bool PutsStartToken(const model::Tokenizer& tokenizer) {
  return tokenizer.adds_bos() && tokenizer.bos_token() >= 0;
}

// Length of the white-space character at the end of `text` (UTF-8), or 0: those for which Python's
// str.isspace holds.
size_t TrailingSpace(absl::string_view text) {
  if (text.empty()) return 0;
  const auto last = static_cast<uint8_t>(text.back());
  if (last == 0x20 || (last >= 0x09 && last <= 0x0d) || (last >= 0x1c && last <= 0x1f)) return 1;
  for (const char* two : {"\u0085", "\u00a0"}) {
    if (absl::EndsWith(text, two)) return 2;
  }
  for (const char* three : {"\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    if (absl::EndsWith(text, three)) return 3;
  }
  // U+2000 to U+200A.
  if (text.size() < 3 || text.substr(text.size() - 3, 2) != "\xe2\x80") return 0;
  return last >= 0x80 && last <= 0x8a ? 3 : 0;
}

// The tokens of `text` behind one start token, where the tokenizer wants one; markup of the start
// token in the text itself counts as it.
absl::StatusOr<std::vector<int32_t>> Tokens(const model::Tokenizer& tokenizer,
                                            absl::string_view text, const ExampleOptions& options) {
  SCM_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, tokenizer.Encode(text, options.parse_special));
  if (PutsStartToken(tokenizer) && (tokens.empty() || tokens[0] != tokenizer.bos_token())) {
    tokens.insert(tokens.begin(), tokenizer.bos_token());
  }
  return tokens;
}

void AppendEnd(const model::Tokenizer& tokenizer, const ExampleOptions& options,
               std::vector<int32_t>* tokens) {
  if (options.end_token && tokenizer.eos_token() >= 0) tokens->push_back(tokenizer.eos_token());
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
                                                   " tokens (the end token included, where one is "
                                                   "trained) does not fit into data.max_length ",
                                                   max_length, "; raise it or shorten the choice"));
  }
  const auto first = example->tokens.begin() + kept_front;
  example->tokens.erase(first, first + excess);
  example->answer_start -= excess;
  example->cut = excess;
  return absl::OkStatus();
}

}  // namespace

absl::string_view WithoutTrailingSpace(absl::string_view text) {
  while (const size_t length = TrailingSpace(text)) text.remove_suffix(length);
  return text;
}

absl::StatusOr<std::vector<TokenExample>> ChoiceExamples(const model::Tokenizer& tokenizer,
                                                         const std::string& prompt,
                                                         const std::vector<std::string>& choices,
                                                         const ExampleOptions& options) {
  SCM_ASSIGN_OR_RETURN(const std::vector<int32_t> context,
                       Tokens(tokenizer, WithoutTrailingSpace(prompt), options));
  if (context.empty()) {
    return absl::InvalidArgumentError("the prompt is empty, so its answer has no context");
  }
  std::vector<TokenExample> examples;
  examples.reserve(choices.size());
  for (const std::string& choice : choices) {
    TokenExample example;
    SCM_ASSIGN_OR_RETURN(example.tokens,
                         Tokens(tokenizer, absl::StrCat(prompt, " ", choice), options));
    if (example.tokens.size() <= context.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the choice \"", choice, "\" adds no token to its prompt"));
    }
    example.answer_start = static_cast<int64_t>(context.size());
    AppendEnd(tokenizer, options, &example.tokens);
    SCM_RETURN_IF_ERROR(FitLength(options.max_length, PutsStartToken(tokenizer), &example));
    examples.push_back(std::move(example));
  }
  return examples;
}

absl::StatusOr<std::vector<TokenExample>> TextExamples(const model::Tokenizer& tokenizer,
                                                       const std::string& text,
                                                       const ExampleOptions& options) {
  SCM_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, Tokens(tokenizer, text, options));
  AppendEnd(tokenizer, options, &tokens);
  std::vector<TokenExample> pieces;
  for (size_t start = 0; start + 1 < tokens.size();) {
    const size_t end = std::min(tokens.size(), start + static_cast<size_t>(options.max_length));
    TokenExample piece;
    piece.tokens.assign(tokens.begin() + start, tokens.begin() + end);
    pieces.push_back(std::move(piece));
    start = end - 1;
  }
  return pieces;
}

}  // namespace scm::trainer
