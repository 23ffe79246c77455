// The inputs an experiment file names, read once at submission: are they usable, and what are they.
#pragma once

#include "common/json.h"
#include "experiment/parse.h"

namespace scm {

// Opens model and corpus and adds what is wrong with them to `parsed`, with the file, line or tensor.
void CheckInputs(const ExperimentSpec& spec, ParsedExperiment& parsed);

// {"corpus": SHA-256, "model": SHA-256}; a missing one is left out. Reads every byte of both.
Json InputDigests(const ExperimentSpec& spec);

}  // namespace scm
