// The reports of the trainer protocol (docs/trainer-protocol.md): one JSON object a line, written
// by one write(2) each, so that the reader never sees half a line of a living trainer. Not
// thread-safe, but that lines written meanwhile by another thread are whole, too.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/json.h"
#include "common/validation_counts.h"

namespace scm::trainer {

// Metric names and values in the order in which they are reported. Non-finite values are allowed.
using Metrics = std::vector<std::pair<std::string, double>>;

class Reporter {
 public:
  // Writes to `fd`, which stays open and is not owned.
  explicit Reporter(int fd) : fd_(fd) {}
  // The reports of one run of several, which name it, through `to`.
  Reporter(Reporter* to, std::string run) : to_(to), run_(std::move(run)) {}
  virtual ~Reporter() = default;

  // Each returns UNAVAILABLE when the line could not be written: then nobody hears this trainer.
  absl::Status Started();
  // `note`: what a person shall know of values that are not finite; "" = nothing.
  absl::Status Progress(int64_t step, const Metrics& metrics, const std::string& note = "");
  // `counts` may be null: the below-random rule is then undecided.
  absl::Status Validation(int64_t step, const Metrics& metrics, const ValidationCounts* counts);
  absl::Status Checkpoint(int64_t step, const std::string& dir);
  absl::Status Artifact(const std::string& name, const std::string& path);
  absl::Status Stopped(int64_t step);
  absl::Status Done(const Json& summary);
  absl::Status Failed(absl::string_view kind, absl::string_view message);

 protected:
  virtual absl::Status Write(const Json& line);

 private:
  int fd_ = -1;
  Reporter* to_ = nullptr;
  std::string run_;
};

// The descriptor named by SCM_REPORT_FD, or standard output when a person runs the program by hand.
// INVALID_ARGUMENT when the variable is set to something else than an open descriptor.
absl::StatusOr<int> ReportDescriptor();

// The `kind` of a "failed" report for an error: INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION,
// OUT_OF_RANGE and UNIMPLEMENTED are bad_input, RESOURCE_EXHAUSTED out_of_memory, ABORTED diverged,
// anything else infrastructure.
const char* FailureKind(const absl::Status& status);

}  // namespace scm::trainer
