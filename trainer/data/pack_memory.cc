#include "trainer/data/pack_memory.h"

#include "absl/strings/str_format.h"
#include "trainer/data/adapter_input.h"

namespace scm::trainer {
namespace {

// Of scm-trainer and its libraries before a weight is read: "program" of its --dry-run.
constexpr int64_t kProgramBytes = 120'000'000;

}  // namespace

RunNeeds NeedsOf(const model::LlamaConfig& config, const ExperimentSpec& run) {
  const int64_t tokens = run.training.batch_size * run.data.value_or(DataSpec()).max_length;
  return NeedsOf(config, ToLoraConfig(run.lora), tokens);
}

int64_t EstimateTrainingBytes(const model::LlamaConfig& config, const ExperimentSpec& shared,
                              std::vector<RunNeeds> runs) {
  TrainingShape shape;
  shape.config = config;
  shape.precision = PrecisionByName(shared.training.precision);
  shape.quantization = ToBaseQuantization(shared.lora);
  shape.longest = shared.data.value_or(DataSpec()).max_length;
  shape.recompute = shared.training.recompute;
  shape.runs = std::move(runs);
  return kProgramBytes + PlanMemory(shape, nullptr).total();
}

int64_t EstimateTrainingBytes(const model::LlamaConfig& config, const ExperimentSpec& spec,
                              int64_t runs) {
  return EstimateTrainingBytes(
      config, spec, std::vector<RunNeeds>(static_cast<size_t>(runs), NeedsOf(config, spec)));
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
