// How the trials of a sweep share processes: decided at submission where the file says `auto`, and
// said by `plan`. Pure.
#pragma once

#include <string>

#include "experiment/spec.h"
#include "model/llama_config.h"

namespace scm::ctl {

// Decides `sweep.packed: auto`: the largest size of a pack, up to the file's, with which each takes
// little more memory than its largest trial; where there is none, trials are not packed. `base` is
// what the built-in trainer trains, null where that is not known: then `auto` stays. A sentence
// about how trials are packed, or "" where the file does not want them to be, or nothing is
// decided.
std::string PackTrials(const model::LlamaConfig* base, ExperimentSpec& spec);

}  // namespace scm::ctl
