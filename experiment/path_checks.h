// Whether the files that a spec names are there and of the right kind. What is in them is looked at
// by whoever submits (scmctl) and by the stage `check`.
#pragma once

#include <vector>

#include "experiment/findings.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// The models and the corpus that are there.
std::vector<NamedInput> CheckPaths(const ExperimentSpec& spec, bool need_models,
                                   Findings& findings);

}  // namespace scm::experiment_file
