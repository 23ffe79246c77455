#include "coordinator/controller/report_handler.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/guard.h"
#include "coordinator/controller/packs.h"
#include "coordinator/controller/process_exit.h"
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

}  // namespace

ReportHandler::Cursor ReportHandler::Begin(const ReportsInput& input) {
  if (context_.Hears(input.worker, input.lease)) {
    return {&input, 0, input.offset, *context_.RankOf(input.worker, input.lease)};
  }
  context_.Send(input.worker, RevokeOutput{input.lease, "the lease is no longer valid"});
  return {};
}

std::optional<RunNews> ReportHandler::Next(Cursor& cursor) {
  if (cursor.input == nullptr) return std::nullopt;
  const TaskId& id = cursor.input->lease.task;
  if (cursor.rank > 0) {
    TakeOfRank(cursor);
    return std::nullopt;
  }
  while (cursor.next < cursor.input->lines.size()) {
    const int64_t known = context_.cluster.tasks.Find(id)->report_offset;
    if (cursor.at > known) return std::nullopt;
    // What follows a line that ended the attempt comes too late.
    if (!context_.cluster.tasks.Find(id)->attempt) return std::nullopt;
    const core::ReportLine& line = cursor.input->lines[cursor.next++];
    const int64_t begin = cursor.at;
    cursor.at += line.bytes;
    if (cursor.at <= known) continue;
    // Before it is looked at: a line that cannot be handled must not come again and again.
    context_.Apply(id, ReportTaken{cursor.at});
    // Ignored and bad lines stand together, so what is known may end among them.
    if (begin < known) continue;
    std::optional<RunNews> news;
    const absl::Status handled = Guarded("cannot be handled", [&] { news = Line(id, line); });
    if (!handled.ok()) Bad(id, handled.message());
    if (news) return news;
  }
  return std::nullopt;
}

void ReportHandler::TakeOfRank(Cursor& cursor) {
  const TaskId& id = cursor.input->lease.task;
  for (; cursor.next < cursor.input->lines.size(); ++cursor.next) {
    const core::ReportLine& line = cursor.input->lines[cursor.next];
    const Task& task = *context_.cluster.tasks.Find(id);
    const int64_t known = task.attempt->ranks[cursor.rank].report_offset;
    if (cursor.at > known) return;
    cursor.at += line.bytes;
    if (cursor.at <= known) continue;
    context_.Apply(id, ReportTaken{cursor.at, cursor.rank});
    if (!task.pack.empty() && !line.run.empty()) continue;  // of a run: rank 0 says that
    if (line.kind == core::ReportLine::Kind::kStopped ||
        line.kind == core::ReportLine::Kind::kDone ||
        line.kind == core::ReportLine::Kind::kFailed) {
      context_.Apply(id, EndingReported{line.ending, cursor.rank});
    }
  }
}

void ReportHandler::End(const Cursor& cursor) {
  if (cursor.input == nullptr) return;
  const LeaseRef& lease = cursor.input->lease;
  const Task& task = *context_.cluster.tasks.Find(lease.task);
  // A line that ended the attempt took its leases with it.
  const int64_t taken = cursor.rank > 0 && task.attempt
                            ? task.attempt->ranks[cursor.rank].report_offset
                            : task.report_offset;
  const bool gap = cursor.input->offset > taken;
  context_.Send(cursor.input->worker, AckOutput{lease, taken, false, /*resend=*/gap});
}

std::optional<RunNews> ReportHandler::Line(const TaskId& id, const core::ReportLine& line) {
  switch (line.kind) {
    case core::ReportLine::Kind::kIgnored:
      break;
    case core::ReportLine::Kind::kBad:
      Bad(id, line.problem, line.lines);
      break;
    case core::ReportLine::Kind::kStarted:
      context_.Transition(id, ProcessStarted{}).IgnoreError();
      break;
    case core::ReportLine::Kind::kProgress:
    case core::ReportLine::Kind::kValidation: {
      const std::optional<RunId> run = RunOf(id, line);
      if (!run) break;
      return line.kind == core::ReportLine::Kind::kProgress ? Progress(id, *run, line)
                                                            : ValidationReport(id, *run, line);
    }
    case core::ReportLine::Kind::kStopped:
    case core::ReportLine::Kind::kDone:
    case core::ReportLine::Kind::kFailed:
      return Ending(id, line);
  }
  return std::nullopt;
}

std::optional<RunId> ReportHandler::RunOf(const TaskId& id, const core::ReportLine& line) {
  const Task& task = *context_.cluster.tasks.Find(id);
  const RunId named(line.run);
  if (task.pack.empty()) {
    if (task.run.empty() || named.empty() || named == task.run) return task.run;
    Bad(id,
        absl::StrCat("it names the run ", line.run, ", and this attempt trains ", task.run.str()));
    return std::nullopt;
  }
  if (named.empty()) {
    Bad(id, "it names no \"run\", and this attempt trains several (runs in SCM_SPEC)");
    return std::nullopt;
  }
  const PackedRun* packed = core::FindPacked(task, named);
  if (packed != nullptr && !IsTerminal(packed->state)) return named;
  Bad(id, packed == nullptr
              ? absl::StrCat("it names the run ", line.run, ", which is none of this attempt's")
              : absl::StrCat("it is about the run ", line.run,
                             ", which has ended: ", StateName(packed->state)));
  return std::nullopt;
}

std::optional<RunNews> ReportHandler::Ending(const TaskId& id, const core::ReportLine& line) {
  const bool of_run = !context_.cluster.tasks.Find(id)->pack.empty() && !line.run.empty();
  const std::optional<RunId> run = line.run.empty() ? RunId() : RunOf(id, line);
  if (!run) return std::nullopt;
  NoteLosses(id, line);
  if (of_run) return EndingOfPacked(id, *run, line);
  context_.Apply(id, EndingReported{line.ending});
  return std::nullopt;
}

std::optional<RunNews> ReportHandler::EndingOfPacked(const TaskId& id, const RunId& run,
                                                     const core::ReportLine& line) {
  const ProcessExited how = JudgeWord(line.ending);
  const core::RunStanding before = context_.StandingOf(run);
  if (how.how == ExitClass::kInfrastructure && !before.stop_reason) {
    EndAttempt(context_, id, absl::StrCat(run.str(), ": ", how.message));
    return std::nullopt;
  }
  const absl::Status ended =
      context_.Transition(id, RunEnded{run, how.how, how.message, line.ending});
  if (!ended.ok()) {
    Bad(id, ended.message());
    return std::nullopt;
  }
  return RunNews{RunNews::Kind::kRunEnded, run, line.step,
                 before.stop_reason == StopReason::kAbort};
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

void ReportHandler::Record(const Task& task, const RunId& id, const core::ReportLine& line) {
  const Run& run = *context_.cluster.runs.Find(id);
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(run.experiment)->spec;
  MetricsReported report{line.step, {}};
  std::set<std::string> fresh;
  for (const auto& [name, value] : line.metrics) {
    if (!run.metric_names.contains(name) && !fresh.contains(name)) {
      if (run.metric_names.size() + fresh.size() >= kMaxMetricNames && !IsNeeded(name, spec)) {
        RefuseName(run, name);
        continue;
      }
      fresh.insert(name);
    }
    report.metrics.emplace_back(name, value);
  }
  context_.Apply(run.id, std::move(report));
  NoteLosses(task.id, line);
}

void ReportHandler::RefuseName(const Run& run, const std::string& name) {
  if (context_.cluster.runs.Find(run.id)->names_refused) return;
  context_.Apply(run.id, NamesRefused{});
  context_.Event(
      run.experiment, run.id.str(), "metrics_refused",
      absl::StrCat("the metric ", name, " is not kept: the run has reported ", kMaxMetricNames,
                   " names, as many as it may; so for every further one"));
}

void ReportHandler::NoteSweepMetric(const Run& run, const core::ReportLine& line) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(run.experiment)->spec;
  if (!spec.sweep || !spec.HasStage(StageKind::kSweep)) return;
  const std::string& metric = spec.sweep->metric;
  if (core::MetricOf(line, metric).has_value() || state::HasMetric(run, metric)) {
    if (!run.metric_missing.empty()) context_.Apply(run.id, SweepMetricMissed{""});
    return;
  }
  if (!run.metric_missing.empty()) return;
  const std::vector<const Run*> all = context_.cluster.RunsOf(run.experiment);
  const bool said = std::any_of(all.begin(), all.end(),
                                [](const Run* other) { return !other->metric_missing.empty(); });
  const std::string why = state::MissingMetric(line, metric);
  context_.Apply(run.id, SweepMetricMissed{why});
  if (!said) context_.Event(run.experiment, run.id.str(), "metric_missing", why);
}

std::optional<RunNews> ReportHandler::Progress(const TaskId& id, const RunId& run,
                                               const core::ReportLine& line) {
  const Task& task = *context_.cluster.tasks.Find(id);
  if (run.empty()) {
    WorkReported work{line.step, std::nullopt};
    const std::optional<double> total = core::MetricOf(line, "total");
    if (total && *total >= 0 && *total <= static_cast<double>(core::kMaxStep)) {
      work.total = static_cast<int64_t>(*total);
    }
    context_.Apply(id, work);
    return std::nullopt;
  }
  if (!StepFits(id, *context_.cluster.runs.Find(run), line)) return std::nullopt;
  Record(task, run, line);
  for (const char* name : {"train_loss", "grad_norm"}) {
    const std::optional<double> value = core::MetricOf(line, name);
    if (value && !std::isfinite(*value)) {
      return RunNews{RunNews::Kind::kNonFinite, run, line.step, false, line.note};
    }
  }
  return std::nullopt;
}

std::optional<RunNews> ReportHandler::ValidationReport(const TaskId& id, const RunId& run,
                                                       const core::ReportLine& line) {
  const Task& task = *context_.cluster.tasks.Find(id);
  if (run.empty()) return std::nullopt;
  if (!StepFits(id, *context_.cluster.runs.Find(run), line)) return std::nullopt;
  Record(task, run, line);
  ValidationRecord validation = ValidationOf(task, line);
  // Trainers may report one step in several lines, a validation set each.
  const ValidationRecord* known = context_.cluster.runs.Find(run)->validations.Find(line.step);
  if (known != nullptr) {
    ValidationRecord filled = *known;
    if (!state::FillIn(validation, filled)) return std::nullopt;
    validation = filled;
  }
  context_.Apply(run, ValidationReported{validation});
  NoteSweepMetric(*context_.cluster.runs.Find(run), line);
  return RunNews{RunNews::Kind::kValidation, run, line.step};
}

ValidationRecord ReportHandler::ValidationOf(const Task& task, const core::ReportLine& line) const {
  ValidationRecord validation{line.step,
                              task.attempts,
                              core::MetricOf(line, kValidationLoss),
                              core::MetricOf(line, kValidationAccuracy),
                              line.correct,
                              line.items,
                              line.chance,
                              line.deff,
                              std::nullopt};
  const auto& sweep = context_.ExperimentOf(task).spec->sweep;
  if (sweep && !IsValidationMetric(sweep->metric)) {
    validation.ranked = core::MetricOf(line, sweep->metric);
  }
  return validation;
}

}  // namespace scm::controller
