// Which trials of a sweep train in one process. It follows from the file and the points alone, so
// that `scmctl plan` says beforehand what the coordinator does. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/json.h"
#include "experiment/spec.h"

namespace scm::core {

// The tasks of a stage, each with the places of its runs among all of them.
using Packs = std::vector<std::vector<size_t>>;

// Of these points (a trial's dotted parameters each, in the order in which trials are created): a
// task each where the trials of the file are not packed; else those that agree in what a process
// shares, in order and in as few tasks of about equal size as sweep.pack_size allows. Tasks are in
// the order of their first trials. The file has a sweep.
Packs PacksOfTrials(const ExperimentSpec& spec, const std::vector<Json>& points);

// The swept parameters in which trials of one process must agree.
std::vector<std::string> PartingParameters(const ExperimentSpec& spec);

}  // namespace scm::core
