#include "trainer/data/adapter_input.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "model/formats/adapter_targets.h"
#include "model/formats/llama_tensors.h"
#include "trainer/data/adapter_config.h"

namespace scm::trainer {
namespace {

// Every tensor that the configuration asks for is there in its shape, and no other.
absl::Status CheckTensorsOf(const AdapterFile& adapter, const model::LlamaConfig& base) {
  const model::SafetensorsFile& file = *adapter.weights;
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const model::NeededTensor& tensor : model::NeededTensors(base))
    shapes[tensor.name] = tensor.shape;
  std::set<std::string> expected;
  for (size_t i = 0; i < adapter.config.only.size(); ++i) {
    const std::string& module = adapter.config.only[i];
    const int64_t r = adapter.shapes[i].r;
    const std::vector<int64_t>& weight = shapes[module + ".weight"];
    for (const char part : {'A', 'B'}) {
      const std::string name = AdapterTensorName(module, part);
      expected.insert(name);
      const auto entry = file.Find(name);
      if (!entry.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(
            file.path(), ": there is no tensor \"", name,
            "\", but by adapter_config.json (target_modules) ", module,
            " is adapted; the two files do not belong together, or one is incomplete"));
      }
      const std::vector<int64_t> shape =
          part == 'A' ? std::vector<int64_t>{r, weight[1]} : std::vector<int64_t>{weight[0], r};
      if ((*entry)->shape == shape) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          file.path(), ": tensor ", name, " has shape ", model::ShapeText((*entry)->shape),
          ", but by adapter_config.json (r, rank_pattern) and the base it is ",
          model::ShapeText(shape)));
    }
  }
  for (const model::SafetensorsEntry& entry : file.entries()) {
    if (expected.count(entry.name) > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": holds the tensor \"", entry.name,
                     "\", which adapter_config.json (target_modules) does not ask for in this "
                     "base; the two files or the base do not belong together"));
  }
  return absl::OkStatus();
}

template <typename V>
std::string Described(const char* key, const std::vector<std::pair<std::string, V>>& pattern) {
  if (pattern.empty()) return "";
  Json json = Json::object();
  for (const auto& [name, value] : pattern) json[name] = value;
  return absl::StrCat(", ", key, ": ", DumpJson(json));
}

// As a section of the experiment file has it.
std::string Described(const LoraConfig& config) {
  return absl::StrCat("r: ", config.r, ", alpha: ", config.alpha,
                      config.use_rslora ? ", use_rslora: true" : "",
                      Described("rank_pattern", config.rank_pattern),
                      Described("alpha_pattern", config.alpha_pattern), ", target_modules: [",
                      absl::StrJoin(config.target_modules, ", "), "]");
}

}  // namespace

std::string AdapterTensorName(const std::string& module, char part) {
  return absl::StrCat("base_model.model.", module, ".lora_", std::string(1, part), ".weight");
}

absl::StatusOr<AdapterFile> OpenAdapter(const std::string& dir, const model::LlamaConfig& base) {
  AdapterFile adapter;
  const std::string config = absl::StrCat(dir, "/", kAdapterConfigName);
  SCM_ASSIGN_OR_RETURN(adapter.config, ReadAdapterConfig(config, base));
  absl::StatusOr<std::vector<model::AdapterShape>> shapes =
      model::AdapterShapes(adapter.config.numbers(), adapter.config.only);
  if (!shapes.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(config, ": ", shapes.status().message()));
  }
  adapter.shapes = *std::move(shapes);
  SCM_ASSIGN_OR_RETURN(adapter.weights,
                       model::SafetensorsFile::Open(absl::StrCat(dir, "/", kAdapterWeightsName)));
  SCM_RETURN_IF_ERROR(CheckTensorsOf(adapter, base));
  return adapter;
}

LoraConfig ToLoraConfig(const LoraSpec& spec) {
  LoraConfig config;
  config.r = spec.r;
  config.alpha = spec.alpha;
  config.dropout = spec.dropout;
  config.target_modules = spec.target_modules;
  config.use_rslora = spec.use_rslora;
  config.rank_pattern = spec.rank_pattern;
  config.alpha_pattern = spec.alpha_pattern;
  return config;
}

BaseQuantization ToBaseQuantization(const LoraSpec& spec) {
  BaseQuantization quantization;
  quantization.double_quant = spec.double_quant;
  if (spec.quantize_base == "nf4") quantization.kind = BaseQuantization::Kind::kNf4;
  if (spec.quantize_base == "int8") quantization.kind = BaseQuantization::Kind::kInt8;
  return quantization;
}

absl::StatusOr<AdapterFile> OpenInit(const LoraSpec& spec, const model::LlamaConfig& base) {
  absl::StatusOr<AdapterFile> adapter = OpenAdapter(spec.init, base);
  if (!adapter.ok()) {
    return absl::Status(adapter.status().code(),
                        absl::StrCat("init: ", adapter.status().message()));
  }
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> modules,
                       model::AdaptedModules(Json(spec.target_modules), base));
  SCM_ASSIGN_OR_RETURN(const std::vector<model::AdapterShape> shapes,
                       model::AdapterShapes(ToLoraConfig(spec).numbers(), modules));
  if (modules == adapter->config.only && shapes == adapter->shapes) return adapter;
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> in_every_layer,
                       model::AdaptedModules(Json(adapter->config.target_modules), base));
  if (in_every_layer != adapter->config.only) {
    return absl::InvalidArgumentError(
        absl::StrCat("init: ", spec.init, " adapts ", adapter->config.only.size(), " of the ",
                     in_every_layer.size(), " matrices called ",
                     absl::StrJoin(adapter->config.target_modules, ", "),
                     ". An experiment adapts such matrices in every layer, so it cannot go on with "
                     "this adapter"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("init: ", spec.init,
                   " has other modules, ranks or scales than this experiment. To go on with it, "
                   "write lora: {",
                   Described(adapter->config), "}"));
}

absl::Status CheckLoraPatterns(const LoraSpec& spec, const model::LlamaConfig& base) {
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> modules,
                       model::AdaptedModules(Json(spec.target_modules), base));
  return model::CheckPatterns(ToLoraConfig(spec).numbers(), modules);
}

}  // namespace scm::trainer
