// sweep.space: parameters and the ranges that they are drawn from.
#pragma once

#include "experiment/reader.h"

namespace scm::experiment_file {

// Appends every dimension that is right; reports the others. `trainer` decides what can be swept.
void ReadSpace(const SectionReader& section, const TrainerSpec& trainer, SearchSpace& space);

}  // namespace scm::experiment_file
