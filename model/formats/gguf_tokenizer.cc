#include "model/formats/gguf_tokenizer.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "model/tokenize/byte_map.h"
#include "model/tokenize/pretokenizer.h"

namespace scm::model {
namespace {

// llama.cpp's names of pre-tokenizers.
struct Known {
  const char* name;
  std::vector<std::string> patterns;
  bool ignore_merges, adds_bos;
};

const std::vector<Known>& KnownPreTokenizers() {
  static const auto* const known =
      new std::vector<Known>{{"llama-bpe", {kLlama3Pattern}, true, true},
                             {"llama3", {kLlama3Pattern}, true, true},
                             {"llama-v3", {kLlama3Pattern}, true, true},
                             {"smollm", {R"(\p{N})", kGpt2Pattern}, false, false},
                             {"gpt-2", {kGpt2Pattern}, false, false},
                             {"gpt2", {kGpt2Pattern}, false, false}};
  return *known;
}

// tokenizer.ggml.token_type
enum TokenType : int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4 };

absl::Status RefuseTokenizer(const GgufFile& file, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", problem));
}

absl::StatusOr<const Known*> FindPreTokenizer(const GgufFile& file) {
  SCM_ASSIGN_OR_RETURN(const std::string model, file.String("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return RefuseTokenizer(
        file, absl::StrCat("tokenizer.ggml.model is \"", absl::Utf8SafeCHexEscape(model),
                           "\", only byte-level BPE (\"gpt2\") is supported"));
  }
  SCM_ASSIGN_OR_RETURN(const std::string name, file.String("tokenizer.ggml.pre"));
  std::vector<std::string> names;
  for (const Known& known : KnownPreTokenizers()) {
    if (name == known.name) return &known;
    names.push_back(known.name);
  }
  return RefuseTokenizer(
      file,
      absl::StrCat("tokenizer.ggml.pre is \"", absl::Utf8SafeCHexEscape(name), "\", known are ",
                   absl::StrJoin(names, ", "), "; use the model's Hugging Face directory instead"));
}

absl::Status ReadTokens(const GgufFile& file, TokenizerParts& parts) {
  SCM_ASSIGN_OR_RETURN(const auto tokens, file.Strings("tokenizer.ggml.tokens"));
  std::vector<int64_t> types(tokens.size(), kNormal);
  if (file.Has("tokenizer.ggml.token_type")) {
    SCM_ASSIGN_OR_RETURN(types, file.Integers("tokenizer.ggml.token_type"));
  }
  if (types.size() != tokens.size()) {
    return RefuseTokenizer(file, absl::StrCat("tokenizer.ggml.token_type has ", types.size(),
                                              " entries for ", tokens.size(), " tokens"));
  }
  parts.vocabulary.tokens.resize(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (FirstInvalidUtf8(tokens[id]) != tokens[id].npos) {
      return RefuseTokenizer(
          file, absl::StrCat("tokenizer.ggml.tokens: token ", id, " is no valid UTF-8"));
    }
    if (types[id] == kControl || types[id] == kUserDefined) {
      parts.added.push_back(
          {std::string(tokens[id]), static_cast<int32_t>(id), types[id] == kControl, false});
    } else if (types[id] != kNormal) {
      continue;  // unknown, unused and byte tokens stand for no text
    }
    parts.vocabulary.tokens[id] = BytesFromMapped(tokens[id]).value_or("");
  }
  return absl::OkStatus();
}

absl::Status ReadMerges(const GgufFile& file, TokenizerParts& parts) {
  SCM_ASSIGN_OR_RETURN(const auto merges, file.Strings("tokenizer.ggml.merges"));
  parts.vocabulary.merges.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    const size_t space = merges[i].find(' ', 1);
    const auto left = BytesFromMapped(merges[i].substr(0, space));
    const auto right =
        space == merges[i].npos ? std::nullopt : BytesFromMapped(merges[i].substr(space + 1));
    if (!left || !right || left->empty() || right->empty()) {
      return RefuseTokenizer(file,
                             absl::StrCat("tokenizer.ggml.merges: entry ", i, " (\"",
                                          absl::Utf8SafeCHexEscape(merges[i].substr(0, 100)),
                                          "\") is not two byte-level tokens with a space between"));
    }
    parts.vocabulary.merges.emplace_back(*left, *right);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerParts> TokenizerPartsFromGguf(const GgufFile& file) {
  TokenizerParts parts;
  SCM_ASSIGN_OR_RETURN(const Known* known, FindPreTokenizer(file));
  parts.patterns = known->patterns;
  parts.vocabulary.ignore_merges = known->ignore_merges;
  SCM_RETURN_IF_ERROR(ReadTokens(file, parts));
  SCM_RETURN_IF_ERROR(ReadMerges(file, parts));
  const auto size = static_cast<int64_t>(parts.vocabulary.tokens.size());
  for (const bool bos : {true, false}) {
    const char* key = bos ? "tokenizer.ggml.bos_token_id" : "tokenizer.ggml.eos_token_id";
    SCM_ASSIGN_OR_RETURN(const int64_t id, file.Integer(key, -1));
    if (id < -1 || id >= size) {
      return RefuseTokenizer(file,
                             absl::StrCat(key, " is ", id, ", but there are ", size, " tokens"));
    }
    (bos ? parts.bos : parts.eos) = static_cast<int32_t>(id);
  }
  SCM_ASSIGN_OR_RETURN(parts.adds_bos, file.Bool("tokenizer.ggml.add_bos_token", known->adds_bos));
  return parts;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromGguf(const GgufFile& file, int64_t limit) {
  SCM_ASSIGN_OR_RETURN(TokenizerParts parts, TokenizerPartsFromGguf(file));
  return MakeBpeTokenizer(std::move(parts), limit, file.path());
}

}  // namespace scm::model
