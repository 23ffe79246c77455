// Turns the lines of a trainer's report spool into metrics, validations and endings
// (docs/trainer-protocol.md). Controller's thread only.
#pragma once

#include <functional>

#include "coordinator/controller/context.h"

namespace scm {

class ReportHandler {
 public:
  // `on_validation` is called after a validation was recorded, `on_non_finite` when a training loss
  // or gradient norm is NaN or infinite; both may stop the run.
  struct Hooks {
    std::function<void(const RunId&)> on_validation;
    std::function<void(const RunId&, int64_t step, const std::string& metric, double value)>
        on_non_finite;
  };
  ReportHandler(ControllerContext* context, Hooks hooks)
      : context_(*context), hooks_(std::move(hooks)) {}

  // Lines below the committed offset were seen before and are skipped; a gap is answered with the
  // offset from which to send again.
  void Handle(const ReportsInput& input);

 private:
  void Line(const TaskId& id, absl::string_view line);
  void Progress(const TaskId& id, const Json& report);
  void ValidationReport(const TaskId& id, const Json& report);
  ValidationRecord ValidationOf(const Task& task, int64_t step, const Json& report) const;
  // `done`, `stopped` or `failed`, as far as its length may be kept.
  void KeepLastWord(const TaskId& id, const Json& report, size_t bytes);
  // Rows for every number in `metrics`, and the latest values.
  void Record(const Task& task, Run& run, int64_t step, const Json& metrics);
  // Whether rows of this name are kept; says once that a run has used up its names.
  bool TakesName(Run& run, const std::string& name);
  // Keeps, or drops again, why the sweep's metric is in no validation of this run.
  void NoteSweepMetric(Run& run, int64_t step, const Json& metrics);

  ControllerContext& context_;
  Hooks hooks_;
};

}  // namespace scm
