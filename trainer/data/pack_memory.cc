#include "trainer/data/pack_memory.h"

#include "absl/strings/str_format.h"
#include "trainer/compute/memory_plan.h"
#include "trainer/data/adapter_input.h"

namespace scm::trainer {
namespace {

constexpr double kMostTimes = 1.35;  // the memory of one run
}  // namespace

int64_t EstimateTrainingBytes(const model::LlamaConfig& config, const ExperimentSpec& spec,
                              int64_t runs) {
  TrainingShape shape;
  shape.config = config;
  shape.lora = ToLoraConfig(spec.lora);
  shape.precision = PrecisionByName(spec.training.precision);
  shape.quantization = ToBaseQuantization(spec.lora);
  shape.longest = spec.data.value_or(DataSpec()).max_length;
  shape.tokens = spec.training.batch_size * shape.longest;
  shape.runs = runs;
  shape.recompute = spec.training.recompute;
  return PlanMemory(shape, nullptr).total();
}

PackDecision DecidePack(const model::LlamaConfig& config, const ExperimentSpec& spec) {
  const int64_t seeds = static_cast<int64_t>(spec.replicate.seeds.size());
  const double one = static_cast<double>(EstimateTrainingBytes(config, spec, 1));
  const double all = static_cast<double>(EstimateTrainingBytes(config, spec, seeds));
  PackDecision decision;
  decision.packed = seeds > 1 && all <= kMostTimes * one;
  decision.reason =
      seeds < 2
          ? "there is one seed: nothing to pack"
          : absl::StrFormat(
                "the %d seeds train %s (replicate.packed: auto): together they need about "
                "%.1f GB, %.2f times the %.1f GB of one, and up to %.2f times they are packed",
                seeds, decision.packed ? "in one process" : "in a process each", all / 1e9,
                all / one, one / 1e9, kMostTimes);
  return decision;
}

}  // namespace scm::trainer
