#include "coordinator/controller/report_handler.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/guard.h"
#include "coordinator/state/run_metrics.h"

namespace scm::controller {
namespace {

constexpr size_t kMaxMetricNames = 256;  // a run, over all its attempts

// What rules, searchers and dashboards read: no flood of other names keeps it out.
bool IsNeeded(const std::string& name, const ExperimentSpec& spec) {
  return core::IsRunMetric(name) || (spec.sweep && name == spec.sweep->metric);
}

// Whether one of the lines `before + 1` … `after` is to be named.
bool IsNamed(int64_t before, int64_t after) {
  if (before < static_cast<int64_t>(core::kNamedBadLines)) return true;
  int64_t power = 10;
  while (power <= before) power *= 10;
  return power <= after;
}

// A trainer counts from its checkpoint when it resumes, so that `tokens` falls back; what is
// exported as a counter adds up what was done, the steps done twice included.
void CountTokens(Run& run, const core::ReportLine& line) {
  const std::optional<double> now = core::MetricOf(line, "tokens");
  if (!now || !std::isfinite(*now)) return;
  const auto before = run.latest.find("tokens");
  run.tokens_total += std::max(0.0, *now - (before == run.latest.end() ? 0.0 : before->second));
}

}  // namespace

void ReportHandler::Handle(const ReportsInput& input) {
  const TaskId& id = input.lease.task;
  if (!context_.Hears(input.worker, input.lease)) {
    context_.Send(input.worker, RevokeOutput{input.lease, "the lease is no longer valid"});
    return;
  }
  const bool gap = input.offset > context_.cluster.tasks.Find(id)->report_offset;
  int64_t at = input.offset;
  for (const core::ReportLine& line : input.lines) {
    const int64_t known = context_.cluster.tasks.Find(id)->report_offset;
    if (at > known) break;
    const int64_t begin = at;
    at += line.bytes;
    if (at <= known) continue;
    Task& changed = context_.cluster.tasks.Mutate(id);
    // Before it is looked at: a line that cannot be handled must not come again and again.
    changed.report_offset = at;
    changed.last_report = context_.now;
    // Ignored and bad lines stand together, so what is known may end among them.
    if (begin < known) continue;
    const absl::Status handled = Guarded("cannot be handled", [&] { Line(id, line); });
    if (!handled.ok()) Bad(id, handled.message());
  }
  const Task& after = *context_.cluster.tasks.Find(id);
  context_.Send(input.worker, AckOutput{input.lease, after.report_offset, false,
                                        /*resend=*/gap});
}

void ReportHandler::Line(const TaskId& id, const core::ReportLine& line) {
  switch (line.kind) {
    case core::ReportLine::Kind::kIgnored:
      return;
    case core::ReportLine::Kind::kBad:
      return Bad(id, line.problem, line.lines);
    case core::ReportLine::Kind::kStarted:
      context_.Transition(id, ProcessStarted{}).IgnoreError();
      return;
    case core::ReportLine::Kind::kProgress:
      return Progress(id, line);
    case core::ReportLine::Kind::kValidation:
      return ValidationReport(id, line);
    case core::ReportLine::Kind::kStopped:
    case core::ReportLine::Kind::kDone:
    case core::ReportLine::Kind::kFailed:
      context_.cluster.tasks.Mutate(id).ending = line.ending;
      NoteLosses(id, line);
  }
}

void ReportHandler::Bad(const TaskId& id, absl::string_view problem, int64_t lines) {
  const Task& task = *context_.cluster.tasks.Find(id);
  int64_t& count = noted_[id].bad;
  const int64_t before = count;
  count += lines;
  if (!IsNamed(before, count)) return;
  context_.Event(
      task.experiment, id.str(), "bad_report",
      absl::StrCat("a report of attempt ", task.attempts, " was not taken: ", problem,
                   count > 1 ? absl::StrCat(" (so far ", count, " lines; few are named)") : ""));
}

void ReportHandler::NoteLosses(const TaskId& id, const core::ReportLine& line) {
  if (line.left_out_count == 0 && !line.summary_cut) return;
  const Task& task = *context_.cluster.tasks.Find(id);
  Noted& noted = noted_[id];
  if (line.left_out_count > 0 && !std::exchange(noted.left_out, true)) {
    const int64_t more = line.left_out_count - static_cast<int64_t>(line.left_out.size());
    context_.Event(
        task.experiment, id.str(), "metrics_left_out",
        absl::StrCat("a report at step ", line.step,
                     " holds metrics that are not kept: ", absl::StrJoin(line.left_out, ", "),
                     more > 0 ? absl::StrCat(" and ", more, " more") : "", "; this is said once"));
  }
  if (line.summary_cut && !std::exchange(noted.summary_cut, true)) {
    context_.Event(task.experiment, id.str(), "summary_cut",
                   absl::StrCat("the summary of `done` is kept up to ", core::kMaxSummary,
                                " bytes of JSON; members that do not fit are left out"));
  }
}

bool ReportHandler::StepFits(const TaskId& id, const Run& run, const core::ReportLine& line) {
  const int64_t last = std::max(run.max_steps, run.stop_at_step);
  if (line.step <= last) return true;
  Bad(id, absl::StrCat("\"step\" is ", line.step, ": this run has ", last,
                       " steps (max_steps in SCM_SPEC)"));
  return false;
}

void ReportHandler::Record(const Task& task, Run& run, const core::ReportLine& line) {
  run.step = std::max(run.step, line.step);
  for (const auto& [name, value] : line.metrics) {
    if (!TakesName(run, name)) continue;
    run.latest[name] = value;
    context_.cluster.AddMetric({run.id.str(), task.attempts, line.step, name, value});
  }
  NoteLosses(task.id, line);
}

bool ReportHandler::TakesName(Run& run, const std::string& name) {
  if (run.metric_names.contains(name)) return true;
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(run.experiment)->spec;
  if (run.metric_names.size() < kMaxMetricNames || IsNeeded(name, spec)) {
    run.metric_names.insert(name);
    return true;
  }
  if (run.names_refused) return false;
  run.names_refused = true;
  context_.Event(
      run.experiment, run.id.str(), "metrics_refused",
      absl::StrCat("the metric ", name, " is not kept: the run has reported ", kMaxMetricNames,
                   " names, as many as it may; so for every further one"));
  return false;
}

void ReportHandler::NoteSweepMetric(Run& run, const core::ReportLine& line) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(run.experiment)->spec;
  if (!spec.sweep || !spec.HasStage(StageKind::kSweep)) return;
  const std::string& metric = spec.sweep->metric;
  if (core::MetricOf(line, metric).has_value() || state::HasMetric(run, metric)) {
    run.metric_missing.clear();
    return;
  }
  if (!run.metric_missing.empty()) return;
  const std::vector<const Run*> all = context_.cluster.RunsOf(run.experiment);
  const bool said = std::any_of(all.begin(), all.end(),
                                [](const Run* other) { return !other->metric_missing.empty(); });
  run.metric_missing = state::MissingMetric(line, metric);
  if (!said) {
    context_.Event(run.experiment, run.id.str(), "metric_missing", run.metric_missing);
  }
}

void ReportHandler::Progress(const TaskId& id, const core::ReportLine& line) {
  const Task& task = *context_.cluster.tasks.Find(id);
  if (task.run.empty()) {
    Task& changed = context_.cluster.tasks.Mutate(id);
    changed.progress = line.step;
    const std::optional<double> total = core::MetricOf(line, "total");
    if (total && *total >= 0 && *total <= static_cast<double>(core::kMaxStep)) {
      changed.progress_total = static_cast<int64_t>(*total);
    }
    return;
  }
  const RunId run_id = task.run;
  if (!StepFits(id, *context_.cluster.runs.Find(run_id), line)) return;
  Run& run = context_.cluster.runs.Mutate(run_id);
  CountTokens(run, line);
  Record(task, run, line);
  for (const char* name : {"train_loss", "grad_norm"}) {
    const std::optional<double> value = core::MetricOf(line, name);
    if (value && !std::isfinite(*value)) {
      hooks_.on_non_finite(run_id, line.step, name, *value);
      return;
    }
  }
}

void ReportHandler::ValidationReport(const TaskId& id, const core::ReportLine& line) {
  const Task& task = *context_.cluster.tasks.Find(id);
  if (task.run.empty()) return;
  const RunId run_id = task.run;
  if (!StepFits(id, *context_.cluster.runs.Find(run_id), line)) return;
  Run& run = context_.cluster.runs.Mutate(run_id);
  Record(task, run, line);
  ValidationRecord validation = ValidationOf(task, line);
  // Trainers may report one step in several lines, a validation set each.
  if (const ValidationRecord* known = run.validations.Find(line.step)) {
    ValidationRecord filled = *known;
    if (!state::FillIn(validation, filled)) return;
    run.validations.Replace(filled);
  } else {
    run.validations.Insert(validation);
  }
  NoteSweepMetric(run, line);
  hooks_.on_validation(run_id, line.step);
}

ValidationRecord ReportHandler::ValidationOf(const Task& task, const core::ReportLine& line) const {
  ValidationRecord validation{line.step,
                              task.attempts,
                              core::MetricOf(line, "validation_loss"),
                              core::MetricOf(line, "validation_accuracy"),
                              line.correct,
                              line.items,
                              line.chance,
                              line.deff,
                              std::nullopt};
  const auto& sweep = context_.ExperimentOf(task).spec->sweep;
  if (sweep && sweep->metric != "validation_loss" && sweep->metric != "validation_accuracy") {
    validation.ranked = core::MetricOf(line, sweep->metric);
  }
  return validation;
}

}  // namespace scm::controller
