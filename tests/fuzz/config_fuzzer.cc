// Any text as the config.json of a model directory, and behind NUL bytes its tokenizer_config.json
// and special_tokens_map.json: refused, or numbers in their ranges and settings of a tokenizer.
#include <cstddef>
#include <cstdint>
#include <string>

#include "model/formats/adapter_targets.h"
#include "model/formats/hf_chat_template.h"
#include "model/formats/hf_config.h"
#include "model/formats/hf_family.h"
#include "model/formats/hf_tokenizer_settings.h"
#include "model/formats/llama_tensors.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/scratch.h"

namespace scm::fuzz {
namespace {

constexpr int64_t kLayers = 64;  // of which names are made

void UseConfig(const model::LlamaConfig& config) {
  Require(model::CheckConfig(config, "input").ok(), "the configuration is in its ranges");
  Require(config.rotates.empty() || config.rotates.size() == static_cast<size_t>(config.layers),
          "each layer rotates or not");
  Require(config.window >= 0, "a window is not negative");
  Require(model::CheckWindow(config, 1, "input").ok(), "one token fits into every window");
  if (config.layers > kLayers) return;
  for (const model::NeededTensor& tensor : model::NeededTensors(config)) {
    Require(model::ElementCount(tensor.shape) > 0, "a needed tensor can be counted");
  }
  const auto modules = model::AdaptedModules("all-linear", config);
  Require(modules.ok() && modules->size() == static_cast<size_t>(7 * config.layers),
          "seven matrices a layer");
}

// What an exported model says, of what such an export is made for.
void CheckWritten(const model::LlamaConfig& config) {
  if (config.family != model::ModelFamily::kLlama) return;
  const auto again = model::ConfigFromJson(model::ConfigJsonText(config, "float32"), "again");
  Require(again.ok(), "a written config.json is read");
  Require(again->hidden == config.hidden && again->head_dim == config.head_dim &&
              again->rope_theta == config.rope_theta &&
              again->rms_norm_eps == config.rms_norm_eps &&
              again->rope_scaling.has_value() == config.rope_scaling.has_value() &&
              again->bos_token == config.bos_token && again->eos_token == config.eos_token,
          "a written config.json means the same");
}

void UseSettings(const std::string& directory, const model::LlamaConfig& config) {
  const auto settings = model::ReadTokenizerSettings(directory, config);
  (void)model::ReadChatTemplate(directory);
  if (!settings.ok()) return;
  for (const model::AddedToken& token : settings->decoder) {
    Require(token.id >= 0, "an added token has an id");
  }
}

}  // namespace
}  // namespace scm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace fuzz = scm::fuzz;
  static const fuzz::Scratch directory;
  const auto input = fuzz::Cut(absl::string_view(reinterpret_cast<const char*>(data), size));
  const auto config = scm::model::ConfigFromJson(input.first, "config.json");
  if (config.ok()) {
    fuzz::UseConfig(*config);
    fuzz::CheckWritten(*config);
  }
  if (!input.has_second) return 0;
  const auto beside = fuzz::Cut(input.second);
  directory.Write("config.json", input.first);
  directory.Write("tokenizer_config.json", beside.first);
  directory.Write("special_tokens_map.json", beside.has_second ? beside.second : "{}");
  fuzz::UseSettings(directory.path(), config.ok() ? *config : scm::model::LlamaConfig());
  return 0;
}
