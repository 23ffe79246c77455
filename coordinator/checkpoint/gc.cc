#include "coordinator/checkpoint/gc.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm::checkpoint {

GcPlan PlanGc(const std::vector<GcRun>& runs, const std::set<std::string>& reachable) {
  GcPlan plan;
  for (const GcRun& run : runs) {
    std::vector<GcCheckpoint> checkpoints = run.checkpoints;
    std::sort(checkpoints.begin(), checkpoints.end(),
              [](const GcCheckpoint& a, const GcCheckpoint& b) { return a.step < b.step; });
    for (const GcCheckpoint& checkpoint : checkpoints) {
      std::vector<std::string> reasons;
      if (run.best_step == checkpoint.step) {
        reasons.push_back(absl::StrCat("the lowest validation loss of ", run.run));
      }
      if (checkpoint.step == checkpoints.back().step) {
        reasons.push_back(absl::StrCat("the latest of ", run.run));
      }
      if (checkpoint.step == run.final_step) {
        reasons.push_back(absl::StrCat("the final one of ", run.run));
      }
      if (reachable.count(checkpoint.id) > 0) reasons.push_back("a task needs it");
      const bool keep = !reasons.empty();
      if (!keep) reasons.push_back("neither best, latest nor final, and no task needs it");
      plan.decisions.push_back(
          {checkpoint.id, keep, absl::StrJoin(reasons, "; "), checkpoint.bytes});
      if (!keep) plan.bytes_removed += checkpoint.bytes;
    }
  }
  return plan;
}

}  // namespace scm::checkpoint
