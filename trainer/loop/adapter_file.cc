#include "trainer/loop/adapter_file.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "model/formats/llama_tensors.h"
#include "trainer/loop/adapter_config.h"
#include "trainer/loop/adapter_readme.h"
#include "trainer/loop/tensor_file.h"

namespace scm::trainer {
namespace {

constexpr char kConfigName[] = "/adapter_config.json";
constexpr char kWeightsName[] = "/adapter_model.safetensors";
constexpr char kReadmeName[] = "/README.md";

// Every tensor that the configuration asks for is there in its shape, and no other.
absl::Status CheckTensorsOf(const AdapterFile& adapter, const model::LlamaConfig& base) {
  const model::SafetensorsFile& file = *adapter.weights;
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const model::NeededTensor& tensor : model::NeededTensors(base))
    shapes[tensor.name] = tensor.shape;
  std::set<std::string> expected;
  for (const std::string& module : adapter.config.only) {
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
      const std::vector<int64_t> shape = part == 'A'
                                             ? std::vector<int64_t>{adapter.config.r, weight[1]}
                                             : std::vector<int64_t>{weight[0], adapter.config.r};
      if ((*entry)->shape == shape) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          file.path(), ": tensor ", name, " has shape ", model::ShapeText((*entry)->shape),
          ", but by adapter_config.json (r) and the base it is ", model::ShapeText(shape)));
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

}  // namespace

std::string AdapterTensorName(const std::string& module, char part) {
  return absl::StrCat("base_model.model.", module, ".lora_", std::string(1, part), ".weight");
}

absl::Status WriteAdapter(const std::string& dir, const LoraConfig& config,
                          const std::string& base_model, LlamaModel* model, size_t adapter_set) {
  NamedTensors tensors;
  for (const AdapterPair& pair : model->adapters(adapter_set)) {
    tensors.emplace_back(absl::StrCat(pair.name, ".lora_A.weight"), pair.a);
    tensors.emplace_back(absl::StrCat(pair.name, ".lora_B.weight"), pair.b);
  }
  SCM_RETURN_IF_ERROR(WriteTensors(dir + kWeightsName, tensors));
  SCM_RETURN_IF_ERROR(WriteFileDurably(dir + kReadmeName, AdapterReadme(base_model)));
  return WriteFileDurably(dir + kConfigName,
                          DumpJson(AdapterConfigJson(config, base_model), 2) + "\n");
}

absl::StatusOr<AdapterFile> OpenAdapter(const std::string& dir, const model::LlamaConfig& base) {
  AdapterFile adapter;
  SCM_ASSIGN_OR_RETURN(adapter.config, ReadAdapterConfig(dir + kConfigName, base));
  SCM_ASSIGN_OR_RETURN(adapter.weights, model::SafetensorsFile::Open(dir + kWeightsName));
  SCM_RETURN_IF_ERROR(CheckTensorsOf(adapter, base));
  return adapter;
}

absl::Status ReadAdapterWeights(const std::string& dir, LlamaModel* model, size_t adapter_set) {
  SCM_ASSIGN_OR_RETURN(const AdapterFile adapter, OpenAdapter(dir, model->config()));
  const model::SafetensorsFile& file = *adapter.weights;
  for (AdapterPair& pair : model->adapters(adapter_set)) {
    SCM_RETURN_IF_ERROR(ReadTensor(file, absl::StrCat(pair.name, ".lora_A.weight"), &pair.a));
    SCM_RETURN_IF_ERROR(ReadTensor(file, absl::StrCat(pair.name, ".lora_B.weight"), &pair.b));
  }
  const size_t expected = model->adapters(adapter_set).size() * 2;
  if (file.entries().size() == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": holds ", file.entries().size(),
                                                 " tensors, but lora.target_modules needs ",
                                                 expected));
}

absl::Status LoadAdapter(const std::string& dir, LlamaModel* model) {
  SCM_ASSIGN_OR_RETURN(const AdapterFile adapter, OpenAdapter(dir, model->config()));
  SCM_RETURN_IF_ERROR(model->AddLora(adapter.config, 0));
  return ReadAdapterWeights(dir, model);
}

}  // namespace scm::trainer
