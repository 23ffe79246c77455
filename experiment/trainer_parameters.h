// trainer.parameters of the built-in trainer: a misspelt key there would be trained without a word.
#pragma once

#include "experiment/findings.h"
#include "experiment/reader.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// Reports unknown keys and wrong values. `top` is the whole file.
void CheckBuiltInParameters(Section& top, const ExperimentSpec& spec, Findings& findings);
// The same of those that a sweep would set.
void CheckSweptParameters(const ExperimentSpec& spec, Findings& findings);

}  // namespace scm::experiment_file
