// The sections `model` and `data` of an experiment with a trainer of one's own. They may hold
// anything, but the stages `evaluate` and `export` are carried out by the built-in programs, which
// find their model and corpus there.
#pragma once

#include "experiment/findings.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// Reports what those programs could not read.
void CheckPassedThrough(const ExperimentSpec& spec, Findings& findings);

}  // namespace scm::experiment_file
