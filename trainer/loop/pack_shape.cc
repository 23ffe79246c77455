#include "trainer/loop/pack_shape.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json.h"

namespace scm::trainer {
namespace {

std::vector<std::pair<const char*, Json>> ShapeOf(const JobSpec& run) {
  const SplitSpec& split = run.data.split;
  return {{"model.base", run.model},
          {"training.precision", run.training.precision},
          {"lora.quantize_base", run.lora.quantize_base},
          {"lora.double_quant", run.lora.double_quant},
          {"data.corpus", run.data.corpus},
          {"data.split", {split.train, split.validation, split.test, split.by, split.seed}},
          {"data.max_length", run.data.max_length},
          {"data.packing", run.data.packing},
          {"data.special_tokens", run.data.special_tokens},
          {"data.end_token", run.data.end_token},
          {"training.loss_on", run.training.loss_on},
          {"trainer.parameters.train_tasks", run.trainer.train_tasks},
          {"trainer.parameters.max_validation_items", run.trainer.max_validation_items},
          {"trainer.parameters.score_tokens", run.trainer.score_tokens}};
}

}  // namespace

absl::Status CheckPackShape(const std::vector<JobSpec>& runs) {
  for (const JobSpec& run : runs) {
    const auto shape = ShapeOf(run), first = ShapeOf(runs.front());
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i].second == first[i].second) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          run.run_id, " cannot train in one process with ", runs.front().run_id, ": ",
          shape[i].first, " is ", DumpJson(shape[i].second), " there and ",
          DumpJson(first[i].second),
          " here. Runs of a pack share the base, its precision and the data; give it a task of "
          "its own (replicate.packed: false)"));
    }
  }
  return absl::OkStatus();
}

}  // namespace scm::trainer
