// Any text as the adapter_config.json of a peft adapter, and any bytes behind a NUL byte as its
// tensors: refused, or every tensor can be read. Without a NUL byte the tensors are those that the
// configuration asks for, and the adapter must open.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/json.h"
#include "model/formats/adapter_targets.h"
#include "model/formats/llama_tensors.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/tiny_base.h"
#include "trainer/data/adapter_config.h"
#include "trainer/data/adapter_input.h"

namespace scm::fuzz {
namespace {

constexpr int64_t kMaxValues = 1 << 16;

std::vector<int64_t> ShapeOf(const std::string& module, const model::LlamaConfig& base) {
  for (const model::NeededTensor& tensor : model::NeededTensors(base)) {
    if (tensor.name == module + ".weight") return tensor.shape;
  }
  Require(false, "an adapted module is part of the base");
  return {};
}

// The file of tensors for this configuration; "" where it would be large.
std::string TensorsFor(const trainer::LoraConfig& config, const model::LlamaConfig& base) {
  const auto shapes = model::AdapterShapes(config.numbers(), config.only);
  if (!shapes.ok()) return "";
  Require(shapes->size() == config.only.size(), "each module has a rank and a scale");
  std::vector<NamedShape> tensors;
  int64_t values = 0;
  for (size_t i = 0; i < config.only.size(); ++i) {
    const std::vector<int64_t> weight = ShapeOf(config.only[i], base);
    const int64_t r = (*shapes)[i].r;
    tensors.push_back({trainer::AdapterTensorName(config.only[i], 'A'), {r, weight[1]}});
    tensors.push_back({trainer::AdapterTensorName(config.only[i], 'B'), {weight[0], r}});
    values += r * (weight[0] + weight[1]);
  }
  return values > kMaxValues ? "" : ZeroTensors(tensors);
}

void UseAdapter(const trainer::AdapterFile& adapter) {
  Require(adapter.weights->entries().size() == 2 * adapter.config.only.size(),
          "two tensors a module, and no other");
  for (const model::SafetensorsEntry& entry : adapter.weights->entries()) {
    std::vector<float> values(static_cast<size_t>(model::ElementCount(entry.shape)));
    adapter.weights->ReadFloat32(entry, values.data()).IgnoreError();
  }
}

// What is written for an adapter that goes on with this one is read as the same. Texts are no
// longer a list where only some layers are adapted.
void CheckWritten(const Scratch& directory, const trainer::LoraConfig& config,
                  const model::LlamaConfig& base) {
  const auto everywhere = model::AdaptedModules(Json(config.target_modules), base);
  if (!everywhere.ok() || *everywhere != config.only) return;
  directory.Write("written.json", DumpJson(trainer::AdapterConfigJson(config, "base")));
  const auto again = trainer::ReadAdapterConfig(directory.path() + "/written.json", base);
  Require(again.ok(), "a written adapter_config.json is read");
  Require(again->only == config.only && again->r == config.r && again->alpha == config.alpha &&
              again->dropout == config.dropout && again->use_rslora == config.use_rslora &&
              again->rank_pattern == config.rank_pattern &&
              again->alpha_pattern == config.alpha_pattern,
          "a written adapter_config.json means the same");
}

}  // namespace
}  // namespace scm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace fuzz = scm::fuzz;
  namespace trainer = scm::trainer;
  static const fuzz::Scratch directory;
  static const scm::model::LlamaConfig base = fuzz::TinyBase();
  const auto input = fuzz::Cut(absl::string_view(reinterpret_cast<const char*>(data), size));
  directory.Write(trainer::kAdapterConfigName, input.first);
  const auto config =
      trainer::ReadAdapterConfig(directory.path() + "/" + trainer::kAdapterConfigName, base);
  if (!config.ok()) return 0;
  const std::string needed = fuzz::TensorsFor(*config, base);
  const bool own = input.has_second || needed.empty();
  directory.Write(trainer::kAdapterWeightsName, own ? input.second : needed);
  const auto adapter = trainer::OpenAdapter(directory.path(), base);
  fuzz::Require(own || adapter.ok(), "an adapter with the tensors it asks for opens");
  if (!adapter.ok()) return 0;
  fuzz::UseAdapter(*adapter);
  fuzz::CheckWritten(directory, *config, base);
  return 0;
}
