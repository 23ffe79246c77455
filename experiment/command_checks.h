// Whether trainer.command can be started at all, as far as this machine shows. A worker has the
// last word (docs/trainer-protocol.md); this says before submission what no worker would start.
#pragma once

#include <string>

#include "experiment/findings.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// `base` is the directory of the experiment file, for suggestions.
void CheckCommand(const TrainerSpec& trainer, const std::string& base, Findings& findings);

}  // namespace scm::experiment_file
