// A look into everything that an experiment file names, before anything is submitted: what would
// otherwise be found by a task, when the tasks before it are paid.
#pragma once

#include "absl/time/time.h"
#include "experiment/parse.h"

namespace scm::ctl {

// Adds what is wrong with the models, the corpus and the predictions that `parsed` names, with
// file, line, key or tensor, at the place where the experiment file names them. `spec`, if there is
// one, says which split, tasks and comparisons the data is checked for.
void CheckInputs(ParsedExperiment& parsed);

// Warns of a date that has passed.
void CheckDates(ParsedExperiment& parsed, absl::Time now);

}  // namespace scm::ctl
