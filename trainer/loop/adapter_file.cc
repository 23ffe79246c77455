#include "trainer/loop/adapter_file.h"

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "trainer/data/adapter_config.h"
#include "trainer/loop/adapter_readme.h"
#include "trainer/loop/tensor_file.h"

namespace scm::trainer {
namespace {

constexpr char kReadmeName[] = "README.md";

}  // namespace

absl::Status WriteAdapter(const std::string& dir, const LoraConfig& config,
                          const std::string& base_model, LlamaModel* model, size_t adapter_set) {
  NamedTensors tensors;
  for (const AdapterPair& pair : model->adapters(adapter_set)) {
    tensors.emplace_back(absl::StrCat(pair.name, ".lora_A.weight"), pair.a);
    tensors.emplace_back(absl::StrCat(pair.name, ".lora_B.weight"), pair.b);
  }
  SCM_RETURN_IF_ERROR(WriteTensors(absl::StrCat(dir, "/", kAdapterWeightsName), tensors));
  SCM_RETURN_IF_ERROR(
      WriteFileDurably(absl::StrCat(dir, "/", kReadmeName), AdapterReadme(base_model)));
  return WriteFileDurably(absl::StrCat(dir, "/", kAdapterConfigName),
                          DumpJson(AdapterConfigJson(config, base_model), 2) + "\n");
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
