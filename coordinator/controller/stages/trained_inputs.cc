#include "coordinator/controller/stages/trained_inputs.h"

#include "absl/strings/str_cat.h"

namespace scm::controller {

SpecInput BestCheckpointInput(const Run& run) {
  return {"checkpoint", run.id.str(), run.seed, *run.best_step,
          absl::StrCat(run.id.str(), "/", *run.best_step)};
}

absl::Status NothingLeftFor(const Task& task) {
  return absl::DataLossError(absl::StrCat(
      "no checkpoint of ", task.part ? task.part->run.str() : "any seed",
      " is left intact: `scmctl checkpoints ls ", task.experiment.str(), "` says what happened"));
}

}  // namespace scm::controller
