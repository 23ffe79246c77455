// Turns the lines of a trainer's report spool into metrics, validations and endings
// (docs/trainer-protocol.md). Controller's thread only.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "coordinator/controller/context.h"

namespace scm::controller {

// What a line calls for: abort rules and the searcher look at the run, and may stop it, before the
// next line is taken.
struct RunNews {
  enum class Kind {
    kValidation,  // one was recorded
    kNonFinite,   // a training loss or gradient norm is NaN or infinite
    kRunEnded,    // one of a pack, by its last word
  };
  Kind kind = Kind::kValidation;
  RunId run;
  int64_t step = 0;
  bool was_aborted = false;  // kRunEnded: an abort was on its way
  std::string note = {};     // kNonFinite: what the trainer says about it
};

class ReportHandler {
 public:
  explicit ReportHandler(ControllerContext* context) : context_(*context) {}

  // Where in its lines an input is.
  struct Cursor {
    const ReportsInput* input = nullptr;  // not owned; null = the lease is not held
    size_t next = 0;                      // line
    int64_t at = 0;                       // its first byte in the spool
    int64_t rank = 0;
  };
  // Revokes a lease that is not held.
  Cursor Begin(const ReportsInput& input);
  // Takes lines until one is news; nullopt at the end. Lines below the committed offset were seen
  // before and are skipped; behind a gap nothing is taken.
  std::optional<RunNews> Next(Cursor& cursor);
  // Acknowledges what was taken; a gap is answered with the offset from which to send again.
  void End(const Cursor& cursor);
  // The first few bad lines of a task are named, then every tenth power of their number.
  void Bad(const TaskId& id, absl::string_view problem, int64_t lines = 1);

 private:
  // What of a task's reports was not taken, so that it is said, but not for every line.
  struct Noted {
    int64_t bad = 0;
    bool left_out = false, summary_cut = false;
  };

  // Of a rank beyond the first only its last word counts.
  void TakeOfRank(Cursor& cursor);
  std::optional<RunNews> Line(const TaskId& id, const core::ReportLine& line);
  void NoteLosses(const TaskId& id, const core::ReportLine& line);
  // The run that a line is about: of a pack the one that it names. None, and a bad line, where it
  // names none or one that does not go on; empty for a task of no run.
  std::optional<RunId> RunOf(const TaskId& id, const core::ReportLine& line);
  std::optional<RunNews> Progress(const TaskId& id, const RunId& run, const core::ReportLine& line);
  std::optional<RunNews> ValidationReport(const TaskId& id, const RunId& run,
                                          const core::ReportLine& line);
  // A last word, of the process or of one run of a pack.
  std::optional<RunNews> Ending(const TaskId& id, const core::ReportLine& line);
  std::optional<RunNews> EndingOfPacked(const TaskId& id, const RunId& run,
                                        const core::ReportLine& line);
  // Whether the step is one that this run can have; else the line is a bad one.
  bool StepFits(const TaskId& id, const Run& run, const core::ReportLine& line);
  // Takes the line's metrics, as far as their names are kept.
  void Record(const Task& task, const RunId& run, const core::ReportLine& line);
  ValidationRecord ValidationOf(const Task& task, const core::ReportLine& line) const;
  // Says once that a run has used up its names.
  void RefuseName(const Run& run, const std::string& name);
  // Keeps, or drops again, why the sweep's metric is in no validation of this run.
  void NoteSweepMetric(const Run& run, const core::ReportLine& line);

  ControllerContext& context_;
  std::map<TaskId, Noted> noted_;  // of tasks with something to note; begins anew with the process
};

}  // namespace scm::controller
