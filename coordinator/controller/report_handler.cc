#include "coordinator/controller/report_handler.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/text.h"
#include "coordinator/controller/run_metrics.h"

namespace scm {
namespace {

// Bounds what one careless trainer can make the coordinator remember.
constexpr size_t kMaxMetricsPerReport = 64;
constexpr size_t kMaxMetricName = 64;
constexpr size_t kMaxLastWord = 64 << 10;  // bytes; it is written with every change of the task
constexpr size_t kMaxMetricNames = 256;    // a run, over all its attempts

// What rules, searchers and dashboards read: no flood of other names keeps it out.
bool IsNeeded(const std::string& name, const ExperimentSpec& spec) {
  for (const char* known : {"train_loss", "grad_norm", "learning_rate", "tokens", "validation_loss",
                            "validation_accuracy"}) {
    if (name == known) return true;
  }
  return spec.sweep && name == spec.sweep->metric;
}

std::optional<double> OptionalNumber(const Json& object, absl::string_view key) {
  return NumberFromJson(MemberAt(object, key));
}

// A trainer counts from its checkpoint when it resumes, so that `tokens` falls back; what is
// exported as a counter adds up what was done, the steps done twice included.
void CountTokens(Run& run, const Json& metrics) {
  const std::optional<double> now = OptionalNumber(metrics, "tokens");
  if (!now || !std::isfinite(*now)) return;
  const auto before = run.latest.find("tokens");
  run.tokens_total += std::max(0.0, *now - (before == run.latest.end() ? 0.0 : before->second));
}

}  // namespace

void ReportHandler::Handle(const ReportsInput& input) {
  if (!context_.Holds(input.lease)) {
    context_.Send(input.worker, RevokeOutput{input.lease, "the lease is no longer valid"});
    return;
  }
  const Task& task = *context_.cluster.tasks.Find(input.lease.task);
  const int64_t known = task.report_offset;
  const int64_t end = input.offset + static_cast<int64_t>(input.lines.size());
  if (input.offset <= known && end > known) {
    absl::string_view rest = absl::string_view(input.lines).substr(known - input.offset);
    while (!rest.empty()) {
      const size_t length = rest.find('\n');
      if (length == rest.npos) break;  // not a whole line: stays unacknowledged
      Line(input.lease.task, rest.substr(0, length));
      Task& changed = context_.cluster.tasks.Mutate(input.lease.task);
      changed.report_offset += static_cast<int64_t>(length) + 1;
      changed.last_report = context_.now;
      rest.remove_prefix(length + 1);
    }
  }
  const Task& after = *context_.cluster.tasks.Find(input.lease.task);
  context_.Send(input.worker, AckOutput{input.lease, after.report_offset, false});
}

void ReportHandler::Line(const TaskId& id, absl::string_view line) {
  const Task& task = *context_.cluster.tasks.Find(id);
  const absl::StatusOr<Json> report = ParseReportJson(line, "report");
  if (!report.ok() || !report->is_object()) {
    context_.Event(task.experiment, id.str(), "bad_report",
                   absl::StrCat("a report of attempt ", task.attempts,
                                " is not a JSON object: ", std::string(line.substr(0, 200))));
    return;
  }
  const std::string type = StringAt(*report, "type");
  if (type == "started") {
    context_.Transition(id, ProcessStarted{}).IgnoreError();
  } else if (type == "progress") {
    Progress(id, *report);
  } else if (type == "validation") {
    ValidationReport(id, *report);
  } else if (type == "done" || type == "stopped" || type == "failed") {
    KeepLastWord(id, *report, line.size());
  }
  // `checkpoint` and `artifact` exist through their upload; unknown types are ignored by contract.
}

void ReportHandler::KeepLastWord(const TaskId& id, const Json& report, size_t bytes) {
  Task& task = context_.cluster.tasks.Mutate(id);
  if (bytes <= kMaxLastWord) {
    task.ending = report;
    return;
  }
  task.ending = {{"type", MemberAt(report, "type")},
                 {"step", IntegerAt(report, "step", 0)},
                 {"kind", LineOf(StringAt(report, "kind"), kMaxMetricName)},
                 {"message", TextOf(StringAt(report, "message"))}};
  context_.Event(
      task.experiment, id.str(), "last_word_cut",
      absl::StrCat("the last word of attempt ", task.attempts, " has ", bytes, " bytes, and ",
                   kMaxLastWord, " are kept: its summary is left out, its message cut"));
}

void ReportHandler::Record(const Task& task, Run& run, int64_t step, const Json& metrics) {
  if (!metrics.is_object()) return;
  size_t count = 0;
  for (auto it = metrics.begin(); it != metrics.end() && count < kMaxMetricsPerReport;
       ++it, ++count) {
    const std::optional<double> value = NumberFromJson(it.value());
    if (!value || it.key().empty() || !TakesName(run, it.key())) continue;
    run.latest[it.key()] = *value;
    context_.cluster.AddMetric({run.id.str(), task.attempts, step, it.key(), *value});
  }
}

bool ReportHandler::TakesName(Run& run, const std::string& name) {
  if (run.metric_names.contains(name)) return true;
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(run.experiment)->spec;
  const bool too_long = name.size() > kMaxMetricName;
  if (!too_long && (run.metric_names.size() < kMaxMetricNames || IsNeeded(name, spec))) {
    run.metric_names.insert(name);
    return true;
  }
  if (run.names_refused) return false;
  run.names_refused = true;
  const std::string shown = LineOf(name, kMaxMetricName);
  context_.Event(
      run.experiment, run.id.str(), "metrics_refused",
      too_long
          ? absl::StrCat("the metric ", shown, " is not kept: its name has ", name.size(),
                         " bytes, and ", kMaxMetricName, " is the limit; so for every such name")
          : absl::StrCat("the metric ", shown, " is not kept: the run has reported ",
                         kMaxMetricNames, " names, as many as it may; so for every further one"));
  return false;
}

void ReportHandler::NoteSweepMetric(Run& run, int64_t step, const Json& metrics) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(run.experiment)->spec;
  if (!spec.sweep || !spec.HasStage(StageKind::kSweep)) return;
  const std::string& metric = spec.sweep->metric;
  if (std::any_of(run.validations.begin(), run.validations.end(),
                  [&](const ValidationRecord& v) { return MetricOf(v, metric).has_value(); })) {
    run.metric_missing.clear();
    return;
  }
  if (!run.metric_missing.empty()) return;
  const std::vector<const Run*> all = context_.cluster.RunsOf(run.experiment);
  const bool said = std::any_of(all.begin(), all.end(),
                                [](const Run* other) { return !other->metric_missing.empty(); });
  run.metric_missing = MissingMetric(metrics, step, metric);
  if (!said) {
    context_.Event(run.experiment, run.id.str(), "metric_missing", run.metric_missing);
  }
}

void ReportHandler::Progress(const TaskId& id, const Json& report) {
  const Task& task = *context_.cluster.tasks.Find(id);
  const int64_t step = IntegerAt(report, "step", 0);
  const Json& metrics = MemberAt(report, "metrics");
  if (task.run.empty()) {
    Task& changed = context_.cluster.tasks.Mutate(id);
    changed.progress = step;
    changed.progress_total = IntegerAt(metrics, "total", changed.progress_total);
    return;
  }
  const RunId run_id = task.run;
  Run& run = context_.cluster.runs.Mutate(run_id);
  run.step = std::max(run.step, step);
  CountTokens(run, metrics);
  Record(task, run, step, metrics);
  for (const char* name : {"train_loss", "grad_norm"}) {
    const std::optional<double> value = OptionalNumber(metrics, name);
    if (value && !std::isfinite(*value)) {
      hooks_.on_non_finite(run_id, step, name, *value);
      return;
    }
  }
}

void ReportHandler::ValidationReport(const TaskId& id, const Json& report) {
  const Task& task = *context_.cluster.tasks.Find(id);
  if (task.run.empty()) return;
  const RunId run_id = task.run;
  const int64_t step = IntegerAt(report, "step", 0);
  const Json& metrics = MemberAt(report, "metrics");
  Run& run = context_.cluster.runs.Mutate(run_id);
  run.step = std::max(run.step, step);
  Record(task, run, step, metrics);
  const ValidationRecord validation = ValidationOf(task, step, report);
  const auto place = std::find_if(run.validations.begin(), run.validations.end(),
                                  [&](const ValidationRecord& v) { return v.step >= step; });
  // Trainers may report one step in several lines, a validation set each.
  const bool again = place != run.validations.end() && place->step == step;
  if (again && !FillIn(validation, *place)) return;
  if (!again) run.validations.insert(place, validation);
  NoteSweepMetric(run, step, metrics);
  hooks_.on_validation(run_id);
}

ValidationRecord ReportHandler::ValidationOf(const Task& task, int64_t step,
                                             const Json& report) const {
  const Json& metrics = MemberAt(report, "metrics");
  const Json& counts = MemberAt(report, "counts");
  ValidationRecord validation;
  validation.step = step;
  validation.attempt = task.attempts;
  validation.loss = OptionalNumber(metrics, "validation_loss");
  validation.accuracy = OptionalNumber(metrics, "validation_accuracy");
  validation.correct = OptionalNumber(counts, "correct");
  validation.items = OptionalNumber(counts, "items");
  validation.chance = OptionalNumber(counts, "chance");
  validation.deff = OptionalNumber(counts, "deff");
  const auto& sweep = context_.ExperimentOf(task).spec->sweep;
  if (sweep && sweep->metric != "validation_loss" && sweep->metric != "validation_accuracy") {
    validation.ranked = OptionalNumber(metrics, sweep->metric);
  }
  return validation;
}

}  // namespace scm
