#include "coordinator/controller/best_step.h"

#include "coordinator/controller/stage_driver.h"

namespace scm::controller {

void NoteBestStep(ControllerContext& context, const RunId& id, int64_t step) {
  const Run& run = *context.cluster.runs.Find(id);
  const std::optional<int64_t> best = BestStepWith(context.cluster, run, step);
  if (best != run.best_step) context.Apply(id, BestStepFound{best});
}

}  // namespace scm::controller
