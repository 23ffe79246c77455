#include "trainer/adapter_file.h"

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "trainer/job_fields.h"
#include "trainer/tensor_file.h"

namespace scm {
namespace {

constexpr char kConfigName[] = "/adapter_config.json";
constexpr char kWeightsName[] = "/adapter_model.safetensors";

Json ConfigJson(const LoraConfig& config, const std::string& base_model) {
  return {{"alpha_pattern", Json::object()},
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
          {"rank_pattern", Json::object()},
          {"revision", nullptr},
          {"target_modules", config.target_modules},
          {"task_type", "CAUSAL_LM"},
          {"use_dora", false},
          {"use_rslora", false}};
}

// Keys that change what an adapter means; each must be absent, null, false or empty.
constexpr const char* kRefused[] = {
    "use_dora",       "use_rslora",          "rank_pattern",
    "alpha_pattern",  "modules_to_save",     "fan_in_fan_out",
    "layers_pattern", "layers_to_transform", "trainable_token_indices",
    "lora_bias",      "target_parameters",   "exclude_modules"};

bool MeansNothing(const Json& value) {
  return value.is_null() || value == Json(false) ||
         ((value.is_object() || value.is_array()) && value.empty());
}

}  // namespace

absl::Status WriteAdapter(const std::string& dir, const LoraConfig& config,
                          const std::string& base_model, LlamaModel* model) {
  NamedTensors tensors;
  for (const AdapterPair& pair : model->adapters()) {
    tensors.emplace_back(absl::StrCat(pair.name, ".lora_A.weight"), pair.a);
    tensors.emplace_back(absl::StrCat(pair.name, ".lora_B.weight"), pair.b);
  }
  SCM_RETURN_IF_ERROR(WriteTensors(dir + kWeightsName, tensors));
  return WriteFileDurably(dir + kConfigName, DumpJson(ConfigJson(config, base_model), 2) + "\n");
}

absl::StatusOr<LoraConfig> ReadAdapterConfig(const std::string& dir) {
  const std::string path = dir + kConfigName;
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(text, path));
  FieldProblems problems;
  const Fields root(json, "", &problems);
  root.Word("peft_type", "", {"LORA"});
  root.Word("bias", "none", {"none"});
  for (const char* key : kRefused) {
    if (!MeansNothing(root.Raw(key))) {
      root.Problem(key, absl::StrCat(DumpJson(root.Raw(key)), " is not supported by this program"));
    }
  }
  LoraConfig config;
  config.r = root.RequiredInteger("r", 1, 4096);
  config.alpha = root.Number("lora_alpha", config.alpha, 0, 1e9);
  config.dropout = root.Number("lora_dropout", 0, 0, 0.999);
  config.target_modules = root.Texts("target_modules", {});
  if (config.target_modules.empty()) root.Problem("target_modules", "names no module");
  SCM_RETURN_IF_ERROR(problems.ToStatus(path));
  return config;
}

absl::Status ReadAdapterWeights(const std::string& dir, LlamaModel* model) {
  SCM_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(dir + kWeightsName));
  for (AdapterPair& pair : model->adapters()) {
    SCM_RETURN_IF_ERROR(ReadTensor(*file, absl::StrCat(pair.name, ".lora_A.weight"), &pair.a));
    SCM_RETURN_IF_ERROR(ReadTensor(*file, absl::StrCat(pair.name, ".lora_B.weight"), &pair.b));
  }
  const size_t expected = model->adapters().size() * 2;
  if (file->entries().size() == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(file->path(), ": holds ", file->entries().size(),
                                                 " tensors, but the adapters "
                                                 "that adapter_config.json names have ",
                                                 expected));
}

absl::Status LoadAdapter(const std::string& dir, LlamaModel* model) {
  SCM_ASSIGN_OR_RETURN(const LoraConfig config, ReadAdapterConfig(dir));
  SCM_RETURN_IF_ERROR(model->AddLora(config, 0));
  return ReadAdapterWeights(dir, model);
}

}  // namespace scm
