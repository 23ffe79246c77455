// Whether the files that a spec names are there and of the right kind. Contents are the business of
// the stage `check`.
#pragma once

#include "experiment/findings.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

void CheckPaths(const ExperimentSpec& spec, Findings& findings);

}  // namespace scm::experiment_file
