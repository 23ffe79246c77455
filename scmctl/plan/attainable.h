// What the design can show at best: smallest p-value and effect, and rules that cannot fire.
#pragma once

#include "common/json.h"
#include "experiment/spec.h"

namespace scm {

// {"min_p","detectable_effect","items","clusters","effective_clusters","seeds","accuracy_needed"};
// null where the corpus cannot be read. Adds to `warnings` what will not work as hoped.
Json AttainableStatistics(const ExperimentSpec& spec, Json& warnings);

}  // namespace scm
