// What the design can show at best: smallest p-value and effect, and rules that cannot fire.
#pragma once

#include "common/json.h"
#include "experiment/spec.h"

namespace scm::ctl {

// {"seeds","min_p","p_gate_effect","detectable_effect","nothing_detectable","items","clusters",
// "effective_clusters","accuracy_needed"}; null where the corpus cannot be read, or where there is
// no such number (docs/json.md). Adds to `warnings` what will not work as hoped.
Json AttainableStatistics(const ExperimentSpec& spec, Json& warnings);

}  // namespace scm::ctl
