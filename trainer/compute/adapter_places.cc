#include "trainer/compute/adapter_places.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "trainer/compute/llama_shape.h"

namespace scm::trainer {

std::vector<AdapterPlace> AdapterPlaces(const model::LlamaConfig& config, const LoraConfig& lora) {
  const auto names = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  std::vector<AdapterPlace> places;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (int m = 0; m < kModules; ++m) {
      if (!names(lora.target_modules, kModuleNames[m])) continue;
      const std::string name = absl::StrCat("model.layers.", layer,
                                            m < kGate ? ".self_attn." : ".mlp.", kModuleNames[m]);
      if (lora.only.empty() || names(lora.only, name)) places.push_back({name, layer, m});
    }
  }
  return places;
}

}  // namespace scm::trainer
