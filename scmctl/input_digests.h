// The inputs an experiment file names, recorded once at submission, so that whoever reads them
// later can tell whether they are the same.
#pragma once

#include "absl/status/statusor.h"
#include "common/json.h"
#include "experiment/spec.h"

namespace scm::ctl {

// {"corpus": SHA-256, "model": SHA-256, "inputs": […]} (corpus/input_check.h); the first two only
// where there is such an input. Reads every byte of all of them. The error names what cannot be
// read.
absl::StatusOr<Json> InputDigests(const ExperimentSpec& spec);

}  // namespace scm::ctl
