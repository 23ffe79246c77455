// Records to and from the JSON bodies of the store. Every field is written; a missing one reads as
// its default, so that an older database opens under a newer program.
#pragma once

#include "absl/status/statusor.h"
#include "common/json.h"
#include "coordinator/core/model.h"

namespace scm::state {

Json ToJson(const Experiment& experiment);
Json ToJson(const Trial& trial);
Json ToJson(const Run& run);
Json ToJson(const Task& task);
Json ToJson(const Worker& worker);
Json ToJson(const CheckpointRecord& checkpoint);
Json ToJson(const ArtifactRecord& artifact);
Json ToJson(const CertificateRecord& certificate);
// A run's validations have rows of their own, of some of them each.
Json ToJson(const std::vector<ValidationRecord>& validations);

absl::StatusOr<Experiment> ExperimentFromJson(const Json& json);
absl::StatusOr<Trial> TrialFromJson(const Json& json);
absl::StatusOr<Run> RunFromJson(const Json& json);
absl::Status ReadValidations(const Json& list, Run& run);  // adds them
absl::StatusOr<Task> TaskFromJson(const Json& json);
absl::StatusOr<Worker> WorkerFromJson(const Json& json);
absl::StatusOr<CheckpointRecord> CheckpointFromJson(const Json& json);
absl::StatusOr<ArtifactRecord> ArtifactFromJson(const Json& json);
absl::StatusOr<CertificateRecord> CertificateFromJson(const Json& json);

}  // namespace scm::state
