#include "trainer/data/adapter_config.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "model/formats/adapter_targets.h"
#include "trainer/protocol/job_fields.h"

namespace scm::trainer {
namespace {

constexpr int64_t kDefaultRank = 8;
constexpr double kDefaultAlpha = 8;

// Keys that are read here, and those that change nothing about a trained adapter's values. Every
// other one must be absent, null, false or empty, also one that a later peft invents.
bool Harmless(const std::string& key) {
  static const auto* const keys = new std::set<std::string>{"alpha_pattern",
                                                            "auto_mapping",
                                                            "base_model_name_or_path",
                                                            "bias",
                                                            "corda_config",
                                                            "eva_config",
                                                            "inference_mode",
                                                            "init_lora_weights",
                                                            "loftq_config",
                                                            "lora_alpha",
                                                            "lora_dropout",
                                                            "lora_ga_config",
                                                            "megatron_config",
                                                            "megatron_core",
                                                            "peft_type",
                                                            "peft_version",
                                                            "qalora_group_size",
                                                            "r",
                                                            "rank_pattern",
                                                            "revision",
                                                            "runtime_config",
                                                            "target_modules",
                                                            "task_type",
                                                            "use_rslora"};
  return keys->count(key) > 0;
}

bool MeansNothing(const Json& value) {
  return value.is_null() || value == Json(false) ||
         ((value.is_object() || value.is_array()) && value.empty());
}

// Some ways to begin an adapter change the base's weights, and peft changes them again whenever it
// loads the adapter: the product of its matrices means nothing to the untouched base.
void CheckBeginning(const Fields& root) {
  const Json& value = root.Raw("init_lora_weights");
  if (value.is_null() || value.is_boolean()) return;
  const std::string word = value.is_string() ? absl::AsciiStrToLower(value.get<std::string>()) : "";
  for (const char* plain : {"gaussian", "orthogonal", "eva"}) {
    if (word == plain) return;
  }
  root.Problem("init_lora_weights",
               absl::StrCat(DumpJson(value),
                            ": with it peft changes the weights of the base when it loads the "
                            "adapter, so added to the untouched base it would be another model. "
                            "Merge it with peft, or save it with "
                            "path_initial_model_for_weight_conversion"));
}

void CheckMeaning(const Json& json, const Fields& root) {
  root.Word("peft_type", "", {"LORA"});
  root.Word("bias", "none", {"none"});
  CheckBeginning(root);
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    if (Harmless(key) || MeansNothing(value)) continue;
    if (key == "alora_invocation_tokens") {
      root.Problem(
          key,
          "the adapter is active only behind these tokens (aLoRA), which is not supported; "
          "here it would always be active");
    } else {
      root.Problem(key, absl::StrCat(DumpJson(value), " is not supported by this program"));
    }
  }
}

template <typename V>
Json PatternJson(const std::vector<std::pair<std::string, V>>& pattern) {
  Json json = Json::object();
  for (const auto& [key, value] : pattern) json[key] = value;
  return json;
}

// Null where there is none, as in files of an earlier peft.
Fields Pattern(const Fields& root, const char* key, std::vector<std::string>* names) {
  const Json& json = root.Raw(key);
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) names->push_back(name);
  }
  return root.Object(key);
}

void ReadPatterns(const Fields& root, LoraConfig* config) {
  std::vector<std::string> ranks, alphas;
  const Fields rank = Pattern(root, "rank_pattern", &ranks);
  for (const std::string& name : ranks) {
    config->rank_pattern.emplace_back(name, rank.Integer(name, 1, experiment_file::kRank));
  }
  const Fields alpha = Pattern(root, "alpha_pattern", &alphas);
  for (const std::string& name : alphas) {
    config->alpha_pattern.emplace_back(name, alpha.Number(name, 1, experiment_file::kNotNegative));
  }
}

std::string LastPartOf(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

Json AdapterConfigJson(const LoraConfig& config, const std::string& base_model) {
  return {{"alpha_pattern", PatternJson(config.alpha_pattern)},
          {"auto_mapping", nullptr},
          {"base_model_name_or_path", base_model},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"inference_mode", true},
          {"init_lora_weights", true},
          {"layers_pattern", nullptr},
          {"layers_to_transform", nullptr},
          {"lora_alpha", config.alpha},
          {"lora_dropout", config.dropout},
          {"modules_to_save", nullptr},
          {"peft_type", "LORA"},
          {"r", config.r},
          {"rank_pattern", PatternJson(config.rank_pattern)},
          {"revision", nullptr},
          {"target_modules", config.target_modules},
          {"task_type", "CAUSAL_LM"},
          {"use_dora", false},
          {"use_rslora", config.use_rslora}};
}

absl::StatusOr<LoraConfig> ReadAdapterConfig(const std::string& path,
                                             const model::LlamaConfig& base) {
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(text, path));
  FieldProblems problems;
  const Fields root(json, "", &problems);
  CheckMeaning(json, root);
  LoraConfig config;
  config.r = root.Integer("r", kDefaultRank, experiment_file::kRank);
  config.alpha = root.Number("lora_alpha", kDefaultAlpha, experiment_file::kNotNegative);
  config.dropout = root.Number("lora_dropout", 0, experiment_file::kBelowOne);
  config.use_rslora = root.Boolean("use_rslora", false);
  ReadPatterns(root, &config);
  SCM_RETURN_IF_ERROR(problems.ToStatus(path));
  const auto modules = model::AdaptedModules(root.Raw("target_modules"), base);
  if (!modules.ok()) {
    return absl::Status(modules.status().code(),
                        absl::StrCat(path, ": ", modules.status().message()));
  }
  config.only = *modules;
  for (const std::string& module : config.only) {
    std::vector<std::string>& names = config.target_modules;
    if (std::find(names.begin(), names.end(), LastPartOf(module)) == names.end()) {
      names.push_back(LastPartOf(module));
    }
  }
  return config;
}

}  // namespace scm::trainer
