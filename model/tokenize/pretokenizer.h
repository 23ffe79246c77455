// Cuts text into pre-tokens, which byte-pair encoding never crosses. A chain of regular
// expressions: each cuts the pieces of the one before into its matches and what lies between them
// (Hugging Face's Split with behaviour "Isolated"). The expressions are those of tokenizer.json,
// which is written for another engine, so they are translated to PCRE2's syntax and anything whose
// meaning could differ is refused. Immutable and thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::model {

// GPT-2's expression, which ByteLevel with use_regex stands for.
inline constexpr char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

inline constexpr char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

// The step Digits, which asks for numbers as Rust knows them: by Unicode 17.
inline constexpr char kDigitPattern[] = "[\\p{N}\U00011DE0-\U00011DE9\U00016FF4-\U00016FF6]";

class PreTokenizer {
 public:
  // INVALID_ARGUMENT with the expression and what is wrong with it. `what` names the file.
  static absl::StatusOr<std::unique_ptr<PreTokenizer>> Make(
      const std::vector<std::string>& patterns, absl::string_view what);
  ~PreTokenizer();
  PreTokenizer(const PreTokenizer&) = delete;
  PreTokenizer& operator=(const PreTokenizer&) = delete;

  // Calls `piece` for every pre-token of `text`, which is well-formed UTF-8, in order; together
  // they are the text. RESOURCE_EXHAUSTED when an expression backtracks beyond all reason.
  absl::Status Split(absl::string_view text,
                     absl::FunctionRef<void(absl::string_view)> piece) const;

 private:
  class Pattern;
  class Matcher;
  PreTokenizer();

  std::vector<std::unique_ptr<Pattern>> patterns_;
};

// The expression in PCRE2's syntax with Unicode's white space for \s (PCRE2's own adds U+180E).
// With `newer`, \p{L}, \p{N} and \d hold what Unicode gained since version 14 as well: slower, and
// needed only for texts that hold such characters.
absl::StatusOr<std::string> TranslatePattern(absl::string_view pattern, bool newer = false);

}  // namespace scm::model
