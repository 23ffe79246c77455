// The base models that an experiment may train, in the order in which they are tried: the next one
// when the gate after `replicate` failed on the one before. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/spec.h"

namespace scm::core {

// Never empty. A section `model` that belongs to a trainer of one's own may name its base anyway,
// or not: one candidate then, "" where it does not.
std::vector<std::string> CandidateModels(const ExperimentSpec& spec);

// The candidate with this index; the first where a damaged store names one that is not there.
std::string CandidateModel(const ExperimentSpec& spec, int64_t index);

}  // namespace scm::core
