// Whether the files that a spec names are there and of the right kind. What is in them is looked at
// by whoever submits (scmctl) and by the stage `check`.
#pragma once

#include <vector>

#include "experiment/findings.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

struct PathOptions {
  std::string base_directory;  // for suggestions: relative words of a command start here
  bool need_models = true;     // what does not exist is an error, not a warning
};

// The models, the adapter, the corpus and the predictions that are there.
std::vector<NamedInput> CheckPaths(const ExperimentSpec& spec, const PathOptions& options,
                                   Findings& findings);

}  // namespace scm::experiment_file
