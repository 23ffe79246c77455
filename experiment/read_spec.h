// From the syntax tree to a checked spec: what ParseExperiment and ApplyParameters share.
#pragma once

#include <string>

#include "experiment/parse.h"
#include "experiment/tree.h"

namespace scm::experiment_file {

struct ReadOptions {
  std::string base_directory = {};
  bool check_paths = false;
  bool need_models = true;
  bool by_scm = false;    // written by scmctl, so that what only it writes is allowed
  bool accepted = false;  // see ParseOptions
  int64_t epoch_steps = 0;
};

ParsedExperiment ReadSpec(const Node& root, const ReadOptions& options);

}  // namespace scm::experiment_file
