// Every question of the user's service and of the HTTP server, answered from the published snapshot
// without waiting for the controller; pages of metrics and events come from the store. Thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/rpc/services.h"
#include "scm/v1/answers.pb.h"

namespace scm::rpc {

class Answers {
 public:
  explicit Answers(ServiceDependencies dependencies) : deps_(std::move(dependencies)) {}

  // An unknown id is NOT_FOUND with the near name. What is set as `resolved` is the id that was
  // taken. Texts are valid UTF-8.
  absl::StatusOr<v1::ExperimentsAnswer> Experiments(const v1::Question& question) const;
  absl::StatusOr<v1::StatusAnswer> Status(const v1::Question& question) const;
  absl::StatusOr<v1::RunsAnswer> Runs(const v1::Question& question) const;
  absl::StatusOr<v1::MetricsAnswer> Metrics(const v1::Question& question) const;
  absl::StatusOr<v1::EventsAnswer> Events(const v1::Question& question) const;
  absl::StatusOr<v1::WhyAnswer> Reasons(const v1::Question& question) const;
  absl::StatusOr<v1::CheckpointsAnswer> Checkpoints(const v1::Question& question) const;
  absl::StatusOr<v1::ArtifactsAnswer> Artifacts(const v1::Question& question) const;
  absl::StatusOr<v1::WorkersAnswer> Workers(const v1::Question& question) const;
  absl::StatusOr<v1::InventoryAnswer> Inventory(const v1::Question& question) const;
  absl::StatusOr<v1::ReportDataAnswer> ReportData(const v1::Question& question) const;
  absl::StatusOr<v1::HealthAnswer> Health(const v1::Question& question) const;

 private:
  ServiceDependencies deps_;
};

}  // namespace scm::rpc
