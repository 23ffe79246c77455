// The models an experiment file names, looked into at submission: can they be opened, and what
// should a user know about them and the corpus together.
#pragma once

#include "corpus/corpus.h"
#include "experiment/parse.h"

namespace scm::ctl {

// Adds what is wrong with every model that `parsed` names to its errors, and what else is to be
// known to its warnings, at the place where the file names it. `corpus` is null where it could not
// be loaded. Decides how runs are packed where the file says `auto`, for which the base must be
// known.
void CheckModels(ParsedExperiment& parsed, const corpus::Corpus* corpus);

}  // namespace scm::ctl
