#include "model/formats/hf_chat_template.h"

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/formats/hf_tokenizer_settings.h"

namespace scm::model {
namespace {

absl::StatusOr<std::string> OfConfig(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(const Json config, ReadJsonObject(path));
  const Json& value = MemberAt(config, "chat_template");
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (value.is_array()) {
    for (const Json& named : value) {
      if (StringAt(named, "name") == "default") return StringAt(named, "template");
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path,
      ": chat_template: expected a text, or a list of {\"name\", \"template\"} with a default"));
}

}  // namespace

absl::StatusOr<std::string> ReadChatTemplate(const std::string& directory) {
  const std::string config = directory + "/tokenizer_config.json";
  const std::string file = directory + "/chat_template.jinja";
  SCM_ASSIGN_OR_RETURN(const std::string in_config, OfConfig(config));
  if (!FileExists(file)) return in_config;
  SCM_ASSIGN_OR_RETURN(std::string in_file, ReadFile(file));
  if (in_config.empty() || in_config == in_file) return in_file;
  return absl::InvalidArgumentError(
      absl::StrCat(file, " differs from the chat_template of ", config,
                   "; transformers would read the former: remove one of them"));
}

}  // namespace scm::model
