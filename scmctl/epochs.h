// Epochs of an experiment's runs and their steps: the training examples are made here as the
// trainer makes them, with the base's own tokenizer.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "experiment/spec.h"
#include "trainer/data/row_plan.h"

namespace scm::ctl {

// Reads the whole corpus, and the base's tokenizer. The error says what cannot be read.
absl::StatusOr<trainer::TrainingRows> CountTrainingRows(const ExperimentSpec& spec);

// training.epochs in steps: as many as the seed among the experiment's needs that needs most.
absl::StatusOr<int64_t> StepsOfTraining(const ExperimentSpec& spec,
                                        const trainer::TrainingRows& rows);

// {"examples", "steps", "epochs"} of a full run, for `plan`.
Json EpochsToJson(const ExperimentSpec& spec, const trainer::TrainingRows& rows);

}  // namespace scm::ctl
