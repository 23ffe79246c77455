#include "coordinator/controller/report_handler.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

// Bounds what one careless trainer can make the coordinator remember.
constexpr size_t kMaxMetricsPerReport = 64;
constexpr size_t kMaxMetricName = 64;

std::optional<double> OptionalNumber(const Json& object, absl::string_view key) {
  return NumberFromJson(MemberAt(object, key));
}

}  // namespace

void ReportHandler::Handle(const ReportsInput& input) {
  if (!context_.Hears(input.worker, input.lease)) {
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
  context_.Send(input.worker, AckOutput{input.lease, after.report_offset, false,
                                        /*resend=*/input.offset > known});
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
    context_.cluster.tasks.Mutate(id).ending = *report;
  }
  // `checkpoint` and `artifact` exist through their upload; unknown types are ignored by contract.
}

void ReportHandler::Record(const Task& task, Run& run, int64_t step, const Json& metrics) {
  if (!metrics.is_object()) return;
  size_t count = 0;
  for (auto it = metrics.begin(); it != metrics.end() && count < kMaxMetricsPerReport;
       ++it, ++count) {
    const std::optional<double> value = NumberFromJson(it.value());
    if (!value || it.key().empty() || it.key().size() > kMaxMetricName) continue;
    run.latest[it.key()] = *value;
    context_.cluster.AddMetric({run.id.str(), task.attempts, step, it.key(), *value});
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
  const bool known = std::any_of(run.validations.begin(), run.validations.end(),
                                 [&](const ValidationRecord& v) { return v.step == step; });
  if (known) return;
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
  const auto place = std::find_if(run.validations.begin(), run.validations.end(),
                                  [&](const ValidationRecord& v) { return v.step > step; });
  run.validations.insert(place, validation);
  hooks_.on_validation(run_id);
}

}  // namespace scm
