#include "model/tokenize/pretokenizer.h"

#include <algorithm>
#include <utility>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "model/tokenize/newer_unicode.h"

namespace scm::model {
namespace {

// Unicode's White_Space property.
constexpr char kSpace[] =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr size_t kMaxPattern = 4096, kMaxPatterns = 8;
constexpr uint32_t kHeapLimitKib = 65536;

// How often one match may try again. The expressions of real tokenizers need some tries for each
// byte of a run of white space; one that doubles them with every byte must not take minutes.
uint32_t MatchLimit(size_t text_bytes) {
  constexpr size_t kLeast = 5'000'000, kEachByte = 64, kMost = 200'000'000;
  return static_cast<uint32_t>(std::min(kLeast + kEachByte * std::min(text_bytes, kMost), kMost));
}

// A class of characters that Unicode has added to.
struct GrownClass {
  absl::string_view spelling;
  const char* newer;
  bool negated;
};
constexpr GrownClass kGrown[] = {
    {R"(\p{L})", kNewerLetters, false}, {R"(\pL)", kNewerLetters, false},
    {R"(\P{L})", kNewerLetters, true},  {R"(\PL)", kNewerLetters, true},
    {R"(\p{N})", kNewerNumbers, false}, {R"(\pN)", kNewerNumbers, false},
    {R"(\P{N})", kNewerNumbers, true},  {R"(\PN)", kNewerNumbers, true},
    {R"(\d)", kNewerDigits, false},     {R"(\D)", kNewerDigits, true}};

// The one that begins at `at`, or null.
const GrownClass* FindGrown(absl::string_view pattern, size_t at) {
  for (const GrownClass& grown : kGrown) {
    if (absl::StartsWith(pattern.substr(at), grown.spelling)) return &grown;
  }
  return nullptr;
}

// "[\p{N}…]", or within a set what goes into it.
std::string Grown(const GrownClass& grown, bool in_class) {
  std::string plain(grown.spelling);
  if (grown.negated) plain[1] = plain[1] == 'D' ? 'd' : 'p';
  if (in_class) return absl::StrCat(plain, grown.newer);
  return absl::StrCat(grown.negated ? "[^" : "[", plain, grown.newer, "]");
}

}  // namespace

absl::StatusOr<std::string> TranslatePattern(absl::string_view pattern, bool newer) {
  const auto refuse = [&](absl::string_view part) {
    return absl::InvalidArgumentError(absl::StrCat("the pre-tokenizer's expression \"", pattern,
                                                   "\" holds ", part, ", which is not supported"));
  };
  if (pattern.size() > kMaxPattern) return refuse("more than 4096 characters");
  if (absl::StrContains(pattern, "(*")) return refuse("\"(*\"");
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      if (const GrownClass* grown = FindGrown(pattern, i); grown != nullptr) {
        if (grown->negated && in_class) return refuse(absl::StrCat(grown->spelling, " in a set"));
        absl::StrAppend(&out, newer ? Grown(*grown, in_class) : std::string(grown->spelling));
        i += grown->spelling.size() - 1;
        continue;
      }
      if (++i == pattern.size()) return refuse("a backslash at its end");
      const char e = pattern[i];
      if (e == 's') {
        absl::StrAppend(&out, in_class ? "" : "[", kSpace, in_class ? "" : "]");
      } else if (e == 'S' && !in_class) {
        absl::StrAppend(&out, "[^", kSpace, "]");
      } else if (absl::ascii_isalnum(e) && !absl::StrContains("pPdDrnt", e)) {
        return refuse(absl::StrCat("\"\\", pattern.substr(i, 1), "\""));
      } else {
        out += c;
        out += e;
      }
      continue;
    }
    if (in_class && c == '[') return refuse("a set within a set");
    if (in_class && pattern.substr(i, 2) == "&&") return refuse("\"&&\"");
    if (c == '[') {
      in_class = true;
      // "]" directly after the opening is a member of the set.
      const size_t first = pattern.substr(i + 1, 1) == "^" ? i + 2 : i + 1;
      if (first < pattern.size() && pattern[first] == ']') return refuse("an empty set");
    } else if (c == ']') {
      in_class = false;
    }
    out += c;
  }
  return out;
}

class PreTokenizer::Pattern {
 public:
  static absl::StatusOr<std::unique_ptr<Pattern>> Make(const std::string& text,
                                                       absl::string_view what) {
    std::unique_ptr<Pattern> pattern(new Pattern);
    SCM_ASSIGN_OR_RETURN(pattern->code_, Compile(text, false, what));
    SCM_ASSIGN_OR_RETURN(pattern->newer_, Compile(text, true, what));
    return pattern;
  }

  // For texts that may hold characters newer than PCRE2, or not.
  const pcre2_code* code(bool newer) const { return (newer ? newer_ : code_).get(); }

 private:
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  };
  using Code = std::unique_ptr<pcre2_code, Free>;

  static absl::StatusOr<Code> Compile(const std::string& text, bool newer, absl::string_view what) {
    absl::StatusOr<std::string> translated = TranslatePattern(text, newer);
    if (!translated.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(what, ": ", translated.status().message()));
    }
    int error = 0;
    PCRE2_SIZE offset = 0;
    Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                            nullptr));
    if (code == nullptr) {
      PCRE2_UCHAR message[256];
      pcre2_get_error_message(error, message, sizeof message);
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": the pre-tokenizer's expression \"", text,
                       "\" is not valid: ", reinterpret_cast<const char*>(message)));
    }
    // Without just-in-time support on this machine, matching is slower and the same.
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
    return code;
  }

  Code code_, newer_;
};

// The scratch memory of one call of Split.
class PreTokenizer::Matcher {
  struct FreeMatchData {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  struct FreeMatchContext {
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  };

 public:
  Matcher(const std::vector<std::unique_ptr<Pattern>>& patterns, bool newer, size_t text_bytes,
          absl::FunctionRef<void(absl::string_view)> piece)
      : patterns_(patterns),
        newer_(newer),
        piece_(piece),
        data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    if (context_ != nullptr) {
      pcre2_set_match_limit(context_.get(), MatchLimit(text_bytes));
      pcre2_set_heap_limit(context_.get(), kHeapLimitKib);
    }
  }

  absl::Status Run(size_t step, absl::string_view text) {
    if (data_ == nullptr || context_ == nullptr) {
      return absl::ResourceExhaustedError("no memory for matching");
    }
    if (text.empty()) return absl::OkStatus();
    if (step == patterns_.size()) {
      piece_(text);
      return absl::OkStatus();
    }
    size_t done = 0;  // all before it has been given on
    size_t from = 0;
    while (from < text.size()) {
      size_t begin = 0, end = 0;
      SCM_RETURN_IF_ERROR(Match(*patterns_[step], text, from, begin, end));
      if (begin == text.npos) break;
      if (end == begin) {
        from = end + 1;  // an empty match cuts nothing; on to the next character
        while (from < text.size() && (text[from] & 0xc0) == 0x80) ++from;
        continue;
      }
      SCM_RETURN_IF_ERROR(Run(step + 1, text.substr(done, begin - done)));
      SCM_RETURN_IF_ERROR(Run(step + 1, text.substr(begin, end - begin)));
      done = from = end;
    }
    return Run(step + 1, text.substr(done));
  }

 private:
  // `begin` is npos when there is no further match.
  absl::Status Match(const Pattern& pattern, absl::string_view text, size_t from, size_t& begin,
                     size_t& end) {
    const auto run = [&](uint32_t options) {
      return pcre2_match(pattern.code(newer_), reinterpret_cast<PCRE2_SPTR>(text.data()),
                         text.size(), from, PCRE2_NO_UTF_CHECK | options, data_.get(),
                         context_.get());
    };
    int found = run(0);
    // The interpreter takes its memory from the heap, so it manages what overflows the JIT's stack.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = run(PCRE2_NO_JIT);
    begin = text.npos;
    if (found == PCRE2_ERROR_NOMATCH) return absl::OkStatus();
    if (found < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the pre-tokenizer's expression gave up at byte ", from, " of ", text.size(),
                       " (PCRE2 error ", found, ")"));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
    begin = bounds[0];
    end = bounds[1];
    if (begin > end) end = begin;
    return absl::OkStatus();
  }

  const std::vector<std::unique_ptr<Pattern>>& patterns_;
  const bool newer_;
  absl::FunctionRef<void(absl::string_view)> piece_;
  std::unique_ptr<pcre2_match_data, FreeMatchData> data_;
  std::unique_ptr<pcre2_match_context, FreeMatchContext> context_;
};

PreTokenizer::PreTokenizer() = default;
PreTokenizer::~PreTokenizer() = default;

absl::StatusOr<std::unique_ptr<PreTokenizer>> PreTokenizer::Make(
    const std::vector<std::string>& patterns, absl::string_view what) {
  if (patterns.size() > kMaxPatterns) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": ", patterns.size(), " pre-tokenizer steps, expected at most ", kMaxPatterns));
  }
  std::unique_ptr<PreTokenizer> tokenizer(new PreTokenizer);
  for (const std::string& text : patterns) {
    SCM_ASSIGN_OR_RETURN(std::unique_ptr<Pattern> pattern, Pattern::Make(text, what));
    tokenizer->patterns_.push_back(std::move(pattern));
  }
  return tokenizer;
}

absl::Status PreTokenizer::Split(absl::string_view text,
                                 absl::FunctionRef<void(absl::string_view)> piece) const {
  return Matcher(patterns_, MayHoldNewer(text), text.size(), piece).Run(0, text);
}

}  // namespace scm::model
