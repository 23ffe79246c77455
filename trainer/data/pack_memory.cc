#include "trainer/data/pack_memory.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "model/formats/adapter_shapes.h"
#include "model/formats/adapter_targets.h"
#include "trainer/compute/llama_shape.h"
#include "trainer/compute/shared_pass.h"

namespace scm::trainer {
namespace {

constexpr int64_t kBytesOfATrained = 16;  // value, gradient and two moments in fp32

// fp32 keeps a packed copy for each direction, bf16 one for both.
double WeightBytes(const model::LlamaConfig& c, const ExperimentSpec& spec, int64_t element) {
  const double packed = element == 4 ? 8 : 2;
  double of_a_weight = packed;
  if (spec.lora.quantize_base == "int8") of_a_weight = 1;
  if (spec.lora.quantize_base == "nf4") of_a_weight = spec.lora.double_quant ? 4.13 / 8 : 4.5 / 8;
  double layer = 0;
  for (int module = 0; module < kModules; ++module) {
    layer += static_cast<double>(OutputSize(c, module)) * static_cast<double>(InputSize(c, module));
  }
  const double table = static_cast<double>(c.vocabulary) * static_cast<double>(c.hidden);
  return static_cast<double>(c.layers) * layer * of_a_weight +
         table * (static_cast<double>(element) + packed);
}

int64_t AdapterParameters(const model::LlamaConfig& c, const LoraSpec& lora) {
  const auto modules = model::AdaptedModules(Json(lora.target_modules), c);
  if (!modules.ok()) return 0;
  const auto shapes = model::AdapterShapes(
      {lora.r, lora.alpha, lora.use_rslora, lora.rank_pattern, lora.alpha_pattern}, *modules);
  int64_t parameters = 0;
  for (size_t i = 0; i < modules->size(); ++i) {
    const std::string& name = (*modules)[i];
    const int module = ModuleByName(name.substr(name.rfind('.') + 1));
    parameters +=
        (shapes.ok() ? (*shapes)[i].r : lora.r) * (OutputSize(c, module) + InputSize(c, module));
  }
  return parameters;
}

}  // namespace

RunNeeds NeedsOf(const model::LlamaConfig& c, const ExperimentSpec& run) {
  return {run.training.batch_size * run.data.value_or(DataSpec()).max_length,
          AdapterParameters(c, run.lora) * kBytesOfATrained};
}

int64_t EstimateTrainingBytes(const model::LlamaConfig& c, const ExperimentSpec& shared,
                              const std::vector<RunNeeds>& runs) {
  const int64_t element = shared.training.precision == "bf16" ? 2 : 4;
  const double weights = WeightBytes(c, shared, element);
  const int64_t row = ActivationBytesOfARow(c, element);
  int64_t block = 0, all = 0, adapters = 0;
  for (const RunNeeds& run : runs) {
    block = std::max(block, run.rows);
    all += run.rows;
    adapters += run.adapter_bytes;
  }
  const int64_t rows = block + std::min(all - block, RowsToShare(weights, row));
  return static_cast<int64_t>(weights) + rows * row + adapters + kLossRows * c.vocabulary * 4;
}

int64_t EstimateTrainingBytes(const model::LlamaConfig& c, const ExperimentSpec& spec,
                              int64_t runs) {
  return EstimateTrainingBytes(c, spec,
                               std::vector<RunNeeds>(static_cast<size_t>(runs), NeedsOf(c, spec)));
}

PackDecision DecidePack(const model::LlamaConfig& config, const ExperimentSpec& spec) {
  const int64_t seeds = static_cast<int64_t>(spec.replicate.seeds.size());
  const double one = static_cast<double>(EstimateTrainingBytes(config, spec, 1));
  const double all = static_cast<double>(EstimateTrainingBytes(config, spec, seeds));
  PackDecision decision;
  decision.packed = seeds > 1 && all <= kMostTimesOne * one;
  decision.reason =
      seeds < 2
          ? "there is one seed: nothing to pack"
          : absl::StrFormat(
                "the %d seeds train %s (replicate.packed: auto): together they need about "
                "%.1f GB, %.2f times the %.1f GB of one, and up to %.2f times they are packed",
                seeds, decision.packed ? "in one process" : "in a process each", all / 1e9,
                all / one, one / 1e9, kMostTimesOne);
  return decision;
}

}  // namespace scm::trainer
