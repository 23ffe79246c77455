#include "model/formats/hf_export.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/formats/gguf_config.h"
#include "model/formats/gguf_file.h"
#include "model/formats/gguf_tokenizer.h"
#include "model/formats/hf_config.h"
#include "model/formats/hf_tokenizer.h"
#include "model/tokenize/tokenizer_json.h"

namespace scm::model {
namespace {

constexpr const char* kCopied[] = {"config.json",
                                   "tokenizer.json",
                                   "tokenizer_config.json",
                                   "special_tokens_map.json",
                                   "generation_config.json",
                                   "chat_template.jinja"};

std::string Written(const Json& json) { return DumpJson(json, 2) + "\n"; }

// config.json with what was found in the weights. `tokenizer_class` is taken out: it belongs to
// tokenizer_config.json and would go before tokenizer.json.
void AgreeConfig(const LlamaConfig& config, Json* json) {
  if (BoolAt(*json, "tie_word_embeddings", false) != config.tied_embeddings) {
    (*json)["tie_word_embeddings"] = config.tied_embeddings;
  }
  json->erase("tokenizer_class");
}

// The class that makes every program obey tokenizer.json, and the start token as its
// post-processor puts it.
absl::Status AgreeTokenizerConfig(const ModelSource& model, Json* json) {
  (*json)["tokenizer_class"] = "PreTrainedTokenizerFast";
  if (!json->contains("add_bos_token")) return absl::OkStatus();
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, model.MakeTokenizer());
  (*json)["add_bos_token"] = tokenizer->adds_bos();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CompanionFile>> FromDirectory(const ModelSource& model) {
  std::vector<CompanionFile> files;
  for (const char* name : kCopied) {
    const std::string path = absl::StrCat(model.path(), "/", name);
    if (!FileExists(path)) continue;
    SCM_ASSIGN_OR_RETURN(std::string content, ReadFile(path));
    const bool config = absl::string_view(name) == "config.json";
    if (config || absl::string_view(name) == "tokenizer_config.json") {
      SCM_ASSIGN_OR_RETURN(const Json before, ParseJson(content, path));
      Json after = before;
      if (config) {
        AgreeConfig(model.config(), &after);
      } else {
        SCM_RETURN_IF_ERROR(AgreeTokenizerConfig(model, &after));
      }
      if (after != before) content = Written(after);
    }
    files.push_back({name, std::move(content)});
  }
  // Other programs read the ranks of tiktoken by guesses; what they mean is written out.
  if (!FileExists(absl::StrCat(model.path(), "/tokenizer.json")) &&
      FileExists(absl::StrCat(model.path(), "/tokenizer.model"))) {
    SCM_ASSIGN_OR_RETURN(const HuggingFaceTokenizer tokenizer,
                         ReadTokenizer(model.path(), model.config()));
    files.push_back({"tokenizer.json", TokenizerJsonText(tokenizer.parts)});
  }
  return files;
}

absl::StatusOr<std::string> TokenizerConfig(const GgufFile& file, const TokenizerParts& parts) {
  SCM_ASSIGN_OR_RETURN(const auto tokens, file.Strings("tokenizer.ggml.tokens"));
  Json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
               {"add_bos_token", parts.adds_bos},
               {"clean_up_tokenization_spaces", false}};
  const struct {
    const char *name, *key;
  } ids[] = {{"bos_token", "tokenizer.ggml.bos_token_id"},
             {"eos_token", "tokenizer.ggml.eos_token_id"},
             {"pad_token", "tokenizer.ggml.padding_token_id"},
             {"unk_token", "tokenizer.ggml.unknown_token_id"}};
  for (const auto& row : ids) {
    SCM_ASSIGN_OR_RETURN(const int64_t id, file.Integer(row.key, -1));
    if (id < 0 || id >= static_cast<int64_t>(tokens.size())) continue;
    json[row.name] = std::string(tokens[id]);
  }
  SCM_ASSIGN_OR_RETURN(const int64_t length, file.Integer("llama.context_length"));
  json["model_max_length"] = length;
  SCM_ASSIGN_OR_RETURN(const std::string chat, file.String("tokenizer.chat_template", ""));
  if (!chat.empty()) json["chat_template"] = chat;
  return Written(json);
}

absl::StatusOr<std::vector<CompanionFile>> FromGguf(const std::string& path,
                                                    absl::string_view dtype) {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<GgufFile> file, GgufFile::Open(path));
  SCM_ASSIGN_OR_RETURN(const LlamaConfig config, ConfigFromGguf(*file));
  SCM_ASSIGN_OR_RETURN(const TokenizerParts parts, TokenizerPartsFromGguf(*file));
  SCM_ASSIGN_OR_RETURN(std::string tokenizer_config, TokenizerConfig(*file, parts));
  return std::vector<CompanionFile>{{"config.json", ConfigJsonText(config, dtype)},
                                    {"tokenizer.json", TokenizerJsonText(parts)},
                                    {"tokenizer_config.json", std::move(tokenizer_config)}};
}

}  // namespace

absl::StatusOr<std::vector<CompanionFile>> CompanionFiles(const ModelSource& model,
                                                          absl::string_view dtype) {
  std::error_code error;
  if (std::filesystem::is_directory(model.path(), error)) return FromDirectory(model);
  return FromGguf(model.path(), dtype);
}

}  // namespace scm::model
