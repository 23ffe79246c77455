#include "coordinator/controller/advance.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/guard.h"

namespace scm::controller {

bool Watched(ControllerContext& context, absl::string_view what,
             const std::function<void()>& work) {
  const absl::Status status = Guarded(what, work);
  if (!status.ok()) context.NoteFault(status);
  return status.ok();
}

void AdvanceTouched(ControllerContext& context, StageDriver& stages) {
  std::set<ExperimentId> faulty;
  while (!context.touched.empty()) {
    const std::set<ExperimentId> touched = std::exchange(context.touched, {});
    context.placement_changed = true;  // there may be new tasks
    for (const ExperimentId& id : touched) {
      if (faulty.contains(id)) continue;
      const bool done =
          Watched(context, absl::StrCat("stages of ", id.str()), [&] { stages.Advance(id); });
      if (!done) faulty.insert(id);
    }
  }
}

}  // namespace scm::controller
