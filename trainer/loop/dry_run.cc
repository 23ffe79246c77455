#include "trainer/loop/dry_run.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files.h"
#include "common/human.h"
#include "common/resident_memory.h"
#include "common/status_macros.h"
#include "model/formats/hf_config.h"
#include "model/formats/hf_family.h"
#include "model/formats/llama_tensors.h"
#include "model/open_model.h"
#include "trainer/compute/kernel_tables.h"
#include "trainer/compute/llama_shape.h"
#include "trainer/compute/memory_plan.h"
#include "trainer/data/adapter_input.h"
#include "trainer/loop/memory_answer.h"
#include "trainer/loop/quantized_base.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::trainer {
namespace {

struct Shapes {
  model::LlamaConfig config;
  std::string checked;  // what was compared with what
};

bool HoldsWeights(const std::string& directory) {
  for (const char* name : {"/model.safetensors", "/model.safetensors.index.json"}) {
    if (FileExists(directory + name)) return true;
  }
  return false;
}

absl::StatusOr<Shapes> ReadShapes(const std::string& path) {
  const std::string config = path + "/config.json";
  if (FileExists(config) && !HoldsWeights(path)) {
    SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(config));
    SCM_ASSIGN_OR_RETURN(model::LlamaConfig read, model::ConfigFromJson(text, config));
    return Shapes{std::move(read), "no weights are there to compare with config.json"};
  }
  SCM_ASSIGN_OR_RETURN(const auto source, model::OpenModel(path));
  return Shapes{source->config(),
                absl::StrCat(source->tensors().size(),
                             " tensors are there, each with the name and shape that the "
                             "configuration needs")};
}

std::string Line(const char* kind, int64_t bytes, const std::string& what) {
  return absl::StrFormat("  %-12s %10s  %15d bytes%s%s\n", kind, HumanBytes(bytes), bytes,
                         what.empty() ? "" : "  ", what);
}

int64_t CountOf(const model::LlamaConfig& config) {
  int64_t sum = 0;
  for (const model::NeededTensor& tensor : model::NeededTensors(config)) {
    sum += model::ElementCount(tensor.shape);
  }
  return sum;
}

std::string HowHeld(const JobSpec& spec, const std::string& device) {
  const BaseQuantization quantization = ToBaseQuantization(spec.lora);
  std::string held = absl::StrCat("the frozen base in ", spec.training.precision);
  if (quantization.active()) {
    absl::StrAppend(&held, ", its layers in ", QuantizationName(quantization));
  }
  if (device == "cpu") absl::StrAppend(&held, ", packed for ", CpuKernelsInUse());
  return held;
}

}  // namespace

absl::StatusOr<std::string> DryRunReport(const JobSpec& spec) {
  SCM_ASSIGN_OR_RETURN(const std::string device, PrepareTorch(spec.resources));
  SCM_ASSIGN_OR_RETURN(const Shapes shapes, ReadShapes(spec.model));
  SCM_RETURN_IF_ERROR(model::CheckWindow(shapes.config, spec.data.max_length, spec.model));
  const TrainingShape shape = TrainingShapeOf({&spec}, shapes.config, device);
  const MemoryPlan plan = PlanMemory(shape, device == "cpu" ? &BestCpuFunctions() : nullptr);
  const int64_t program = PeakResidentBytes();
  std::string text = absl::StrCat(spec.model, ": ", model::ModelType(shapes.config.family), ", ",
                                  CountOf(shapes.config), " parameters; ", shapes.checked, "\n");
  absl::StrAppend(&text, "A run of ", spec.training.batch_size, " × ", spec.data.max_length,
                  " tokens in ", spec.training.precision, " on ", device, " takes at most:\n");
  absl::StrAppend(&text, Line("weights", plan.weights, HowHeld(spec, device)));
  absl::StrAppend(&text, Line("adapters", plan.adapters,
                              absl::StrCat("rank ", spec.lora.r, ", with their gradients")));
  absl::StrAppend(&text, Line("optimiser", plan.optimiser, "two moments of every trained value"));
  absl::StrAppend(&text, Line("activations", plan.activations, "kept for the backward pass"));
  absl::StrAppend(&text,
                  Line("logits", plan.logits,
                       absl::StrCat(kLossRows, " rows at a time of ", shapes.config.vocabulary)));
  absl::StrAppend(&text, Line("program", program, "this program and its libraries"));
  absl::StrAppend(&text, Line("together", plan.total() + program, ""));
  return text;
}

}  // namespace scm::trainer
