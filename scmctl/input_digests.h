// The inputs an experiment file names, read once at submission: are they usable, and what are they.
#pragma once

#include "common/json.h"
#include "experiment/parse.h"

namespace scm {

// Looks into every model and corpus that `parsed` names and adds what is wrong with them, with
// file, line, key or tensor, at the place where the experiment file names them. `spec`, if there is
// one, says which split and tasks the data is checked for.
void CheckInputs(ParsedExperiment& parsed);

// {"corpus": SHA-256, "model": SHA-256}; a missing one is left out. Reads every byte of both.
Json InputDigests(const ExperimentSpec& spec);

}  // namespace scm
