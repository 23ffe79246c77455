// trainer.parameters of the built-in trainer: a misspelt key there would be trained without a word.
#pragma once

#include "experiment/findings.h"
#include "experiment/spec.h"
#include "experiment/tree.h"

namespace scm::experiment_file {

// Reports unknown keys and wrong values. `root` is the whole file.
void CheckBuiltInParameters(const Node& root, const ExperimentSpec& spec, Findings& findings);
// The same of those that a sweep would set.
void CheckSweptParameters(const ExperimentSpec& spec, Findings& findings);

}  // namespace scm::experiment_file
