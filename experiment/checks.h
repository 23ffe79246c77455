// What has to hold between the keys of a spec, whoever gave them their values: the file or a
// default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/findings.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// The stages that the sections present allow, in order: what `stages` defaults to.
std::vector<StageKind> DefaultStages(const ExperimentSpec& spec);

// The smallest positive integer that is no replicate seed.
int64_t DefaultSweepSeed(const ReplicateSpec& replicate);

// The end of a metric that is better: "max" for validation_accuracy, else "min".
std::string BetterEnd(const std::string& metric);

// Reports every contradiction. Keys that failed by themselves are left out, so that one mistake
// gives one error.
void CheckWhole(const ExperimentSpec& spec, Findings& findings);

}  // namespace scm::experiment_file
