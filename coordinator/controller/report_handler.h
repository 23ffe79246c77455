// Turns the lines of a trainer's report spool into metrics, validations and endings
// (docs/trainer-protocol.md). Controller's thread only.
#pragma once

#include <functional>
#include <map>

#include "coordinator/controller/context.h"

namespace scm::controller {

class ReportHandler {
 public:
  // `on_validation` is called after a validation was recorded, `on_non_finite` when a training loss
  // or gradient norm is NaN or infinite; both may stop the run.
  struct Hooks {
    std::function<void(const RunId&, int64_t step)> on_validation;
    std::function<void(const RunId&, int64_t step, const std::string& metric, double value)>
        on_non_finite;
  };
  ReportHandler(ControllerContext* context, Hooks hooks)
      : context_(*context), hooks_(std::move(hooks)) {}

  // Lines below the committed offset were seen before and are skipped; a gap is answered with the
  // offset from which to send again.
  void Handle(const ReportsInput& input);

 private:
  // What of a task's reports was not taken, so that it is said, but not for every line.
  struct Noted {
    int64_t bad = 0;
    bool left_out = false, summary_cut = false;
  };

  void Line(const TaskId& id, const core::ReportLine& line);
  // The first few bad lines of a task are named, then every tenth power of their number.
  void Bad(const TaskId& id, absl::string_view problem, int64_t lines = 1);
  void NoteLosses(const TaskId& id, const core::ReportLine& line);
  void Progress(const TaskId& id, const core::ReportLine& line);
  void ValidationReport(const TaskId& id, const core::ReportLine& line);
  // Whether the step is one that this run can have; else the line is a bad one.
  bool StepFits(const TaskId& id, const Run& run, const core::ReportLine& line);
  // Rows for every metric, and the latest values.
  void Record(const Task& task, Run& run, const core::ReportLine& line);
  ValidationRecord ValidationOf(const Task& task, const core::ReportLine& line) const;
  // Whether rows of this name are kept; says once that a run has used up its names.
  bool TakesName(Run& run, const std::string& name);
  // Keeps, or drops again, why the sweep's metric is in no validation of this run.
  void NoteSweepMetric(Run& run, const core::ReportLine& line);

  ControllerContext& context_;
  Hooks hooks_;
  std::map<TaskId, Noted> noted_;  // of tasks with something to note; begins anew with the process
};

}  // namespace scm::controller
