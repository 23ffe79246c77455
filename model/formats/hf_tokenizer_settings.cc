#include "model/formats/hf_tokenizer_settings.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "model/formats/mapped_file.h"

namespace scm::model {
namespace {

constexpr char kTokenizerConfig[] = "/tokenizer_config.json",
               kSpecialMap[] = "/special_tokens_map.json";
// Real files have some kilobytes (some megabytes with many added tokens); a huge one would only
// cost time.
constexpr size_t kMaxObjectBytes = 20'000'000;

// Tokens are written as text, or as an object with the text in "content".
std::optional<std::string> TokenContent(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  const Json& content = MemberAt(value, "content");
  if (content.is_string()) return content.get<std::string>();
  return std::nullopt;
}

absl::Status ReadNamedToken(const std::string& directory, const Json& config, const Json& map,
                            const char* key, std::optional<std::string>* token) {
  *token = TokenContent(MemberAt(config, key));
  const std::optional<std::string> mapped = TokenContent(MemberAt(map, key));
  if (*token && mapped && **token != *mapped) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory, kSpecialMap, ": ", key, " is \"", *mapped, "\", but in ", directory,
        kTokenizerConfig, " \"", **token, "\"; make them the same, or remove ", kSpecialMap + 1));
  }
  // Where it is read at all, the map's null counts like any other word.
  if (!config.contains("added_tokens_decoder") && map.contains(key)) *token = mapped;
  return absl::OkStatus();
}

absl::Status ReadDecoder(const std::string& path, const Json& decoder,
                         std::vector<AddedToken>* tokens) {
  if (decoder.is_null()) return absl::OkStatus();
  const auto refuse = [&](absl::string_view problem) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": added_tokens_decoder: ", problem));
  };
  if (!decoder.is_object()) return refuse("expected an object");
  for (const auto& [key, value] : decoder.items()) {
    const std::optional<std::string> content = TokenContent(value);
    int32_t id = -1;
    if (!content || !absl::SimpleAtoi(key, &id) || id < 0) {
      return refuse(absl::StrCat("\"", key, "\": expected an id and {\"content\": …}"));
    }
    const bool special = BoolAt(value, "special", false);
    tokens->push_back({*content, id, special, BoolAt(value, "normalized", !special),
                       BoolAt(value, "lstrip", false), BoolAt(value, "rstrip", false),
                       BoolAt(value, "single_word", false)});
  }
  return absl::OkStatus();
}

void ReadSpecialNames(const Json& config, std::vector<std::string>* special) {
  for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token",
                          "cls_token", "mask_token"}) {
    if (const auto text = TokenContent(MemberAt(config, key)); text) special->push_back(*text);
  }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json& list = MemberAt(config, key);
    if (!list.is_array()) continue;
    for (const Json& value : list) {
      if (const auto text = TokenContent(value); text) special->push_back(*text);
    }
  }
}

}  // namespace

absl::StatusOr<Json> ReadJsonObject(const std::string& path) {
  if (!FileExists(path)) return Json::object();
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  if (file->bytes().size() > kMaxObjectBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": has ", file->bytes().size(),
                                                   " bytes, expected at most ", kMaxObjectBytes));
  }
  SCM_ASSIGN_OR_RETURN(Json json, ParseJson(file->bytes(), path));
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a JSON object"));
  }
  return json;
}

absl::StatusOr<TokenizerSettings> ReadTokenizerSettings(const std::string& directory,
                                                        const LlamaConfig& config) {
  SCM_ASSIGN_OR_RETURN(const Json settings, ReadJsonObject(directory + kTokenizerConfig));
  SCM_ASSIGN_OR_RETURN(const Json map, ReadJsonObject(directory + kSpecialMap));
  SCM_ASSIGN_OR_RETURN(const Json model, ReadJsonObject(directory + "/config.json"));
  TokenizerSettings s;
  SCM_RETURN_IF_ERROR(ReadNamedToken(directory, settings, map, "bos_token", &s.bos));
  SCM_RETURN_IF_ERROR(ReadNamedToken(directory, settings, map, "eos_token", &s.eos));
  s.bos_id = config.bos_token;
  s.eos_id = config.eos_token;
  const Json& add_bos = MemberAt(settings, "add_bos_token");
  if (add_bos.is_boolean()) s.add_bos = add_bos.get<bool>();
  s.tokenizer_class = StringAt(settings, "tokenizer_class", StringAt(model, "tokenizer_class"));
  ReadSpecialNames(settings, &s.special);
  if (!settings.contains("added_tokens_decoder")) ReadSpecialNames(map, &s.special);
  SCM_RETURN_IF_ERROR(ReadDecoder(directory + kTokenizerConfig,
                                  MemberAt(settings, "added_tokens_decoder"), &s.decoder));
  return s;
}

}  // namespace scm::model
