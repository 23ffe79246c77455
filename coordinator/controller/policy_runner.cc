#include "coordinator/controller/policy_runner.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "coordinator/controller/accrual.h"
#include "coordinator/controller/forecast_view.h"
#include "coordinator/controller/snapshot_index.h"
#include "coordinator/core/policy/budget.h"
#include "coordinator/core/policy/non_finite.h"
#include "coordinator/core/policy/slip.h"

namespace scm {
namespace {

ValidationCounts CountsOf(const ValidationRecord& record) {
  return {static_cast<int64_t>(record.correct.value_or(0)),
          static_cast<int64_t>(record.items.value_or(0)), record.chance.value_or(0),
          record.deff.value_or(1)};
}

}  // namespace

SavedByStop Savings(const ControllerContext& context, const Run& run) {
  SavedByStop saved;
  saved.steps = std::max<int64_t>(0, run.stop_at_step - run.step);
  const Task& task = *context.cluster.tasks.Find(run.task);
  const std::optional<double> pace = SecondsPerStep(context.cluster.View(context.now), run);
  if (!pace) return saved;
  saved.seconds = *pace * static_cast<double>(saved.steps);
  if (context.ExperimentOf(task).spec->budget && task.lease) {
    saved.money = saved.seconds * context.CostRate(task);
  }
  return saved;
}

RunHistory PolicyRunner::HistoryOf(const Run& run) const {
  const Task& task = *context_.cluster.tasks.Find(run.task);
  RunHistory history;
  history.run = run.id.str();
  history.step = run.step;
  history.max_steps = run.max_steps;
  history.eval_steps = context_.ExperimentOf(task).spec->training.eval_steps;
  for (const ValidationRecord& record : run.validations) {
    if (!record.loss) continue;
    Validation point{record.step, *record.loss, record.accuracy, std::nullopt};
    if (record.items || record.chance) point.counts = CountsOf(record);
    history.validations.push_back(point);
  }
  if (const auto loss = run.latest.find("train_loss"); loss != run.latest.end()) {
    history.training_loss = loss->second;
  }
  if (const auto norm = run.latest.find("grad_norm"); norm != run.latest.end()) {
    history.grad_norm = norm->second;
  }
  history.started_at = task.lease ? task.lease->granted_at : absl::InfinitePast();
  history.last_report = task.last_report;
  if (const auto since = listening_since_.find(task.id); since != listening_since_.end()) {
    history.listening_since = since->second;
  }
  return history;
}

void PolicyRunner::Look(const RunId& id) {
  const Run& run = *context_.cluster.runs.Find(id);
  const Task& task = *context_.cluster.tasks.Find(run.task);
  if (IsTerminal(task.state) || task.state == State::kStopping) return;
  const auto policies = MakeAbortPolicies(context_.ExperimentOf(task).spec->abort);
  std::vector<Verdict> looks;
  const std::optional<Verdict> abort =
      FirstAbort(policies, HistoryOf(run), context_.now, &looks);
  for (const Verdict& verdict : looks) {
    if (verdict.kind != VerdictKind::kUndecided || verdict.reason.empty()) continue;
    if (!undecided_.insert({id, absl::StrCat(verdict.rule, verdict.reason)}).second) continue;
    context_.Event(run.experiment, id.str(), "undecided",
                   absl::StrCat(verdict.rule, ": ", verdict.reason));
  }
  if (abort) AbortRun(id, *abort);
}

void PolicyRunner::NonFinite(const RunId& id, int64_t step, const std::string& metric,
                             double value) {
  const Run& run = *context_.cluster.runs.Find(id);
  const Task& task = *context_.cluster.tasks.Find(run.task);
  if (!context_.ExperimentOf(task).spec->abort.non_finite) return;
  Look(id);  // the history holds the value as the latest one
}

CertificateId PolicyRunner::Certify(const Evidence& evidence, const ExperimentId& experiment,
                                    const Run* run) {
  const CertificateId id = context_.cluster.NewId<CertificateId>();
  Json body = {{"id", id.str()}};
  const Json rule_part = EvidenceToJson(evidence);
  for (auto it = rule_part.begin(); it != rule_part.end(); ++it) body[it.key()] = it.value();
  body["at"] = Rfc3339(context_.now);
  body["verdict"] = "abort";
  Json checkpoint, saved = {{"steps", nullptr}, {"seconds", nullptr}, {"money", nullptr}};
  if (run != nullptr) {
    const CheckpointRecord* latest =
        LatestCheckpoint(context_.cluster.View(context_.now), run->id);
    if (latest != nullptr) {
      checkpoint = {{"id", latest->id}, {"step", latest->step}, {"sha256", latest->sha256}};
    }
    const SavedByStop unspent = Savings(context_, *run);
    saved["steps"] = unspent.steps;
    if (unspent.seconds >= 0) saved["seconds"] = unspent.seconds;
    if (unspent.money >= 0) saved["money"] = unspent.money;
  }
  const auto& budget = context_.cluster.experiments.Find(experiment)->spec->budget;
  saved["currency"] = budget ? Json(budget->currency) : Json(nullptr);
  body["checkpoint"] = checkpoint;
  body["saved"] = saved;
  context_.cluster.certificates.Insert(
      id, {id, experiment, run != nullptr ? run->id : RunId(), std::move(body)});
  return id;
}

void PolicyRunner::AbortRun(const RunId& id, const Verdict& verdict) {
  const Run run = *context_.cluster.runs.Find(id);
  const CertificateId certificate = Certify(*verdict.evidence, run.experiment, &run);
  Experiment& experiment = context_.cluster.experiments.Mutate(run.experiment);
  experiment.last_abort_rule = verdict.rule;
  experiment.last_abort = context_.now;
  context_.Event(run.experiment, id.str(), "run_abort",
                 absl::StrCat(verdict.rule, ": ", verdict.reason),
                 {{"rule", verdict.rule}, {"certificate", certificate.str()}});
  context_.Transition(run.task, StopRequested{StopReason::kAbort, verdict.rule, verdict.reason})
      .IgnoreError();
}

void PolicyRunner::Diverged(const RunId& id, const std::string& message) {
  const Run run = *context_.cluster.runs.Find(id);
  for (const auto& [key, certificate] : context_.cluster.certificates.all()) {
    if (certificate->run == id) return;
  }
  Experiment& experiment = context_.cluster.experiments.Mutate(run.experiment);
  experiment.last_abort_rule = "non_finite";
  experiment.last_abort = context_.now;
  Certify(DivergedEvidence(HistoryOf(run), message), run.experiment, &run);
}

void PolicyRunner::AbortExperiment(const ExperimentId& id, const Verdict& verdict) {
  Certify(*verdict.evidence, id, nullptr);
  stages_.StopExperiment(id, StopReason::kAbort, verdict.rule, verdict.reason);
}

void PolicyRunner::LookAtTime() {
  std::vector<RunId> running;
  for (const auto& [id, task] : context_.cluster.tasks.all()) {
    if (task->state == State::kRunning && !task->run.empty()) running.push_back(task->run);
  }
  for (const RunId& run : running) Look(run);
  std::vector<ExperimentId> experiments;
  for (const auto& [id, experiment] : context_.cluster.experiments.all()) {
    if (experiment->state == State::kRunning && !experiment->stopping) experiments.push_back(id);
  }
  for (const ExperimentId& id : experiments) LookAtExperiment(id);
}

void PolicyRunner::LookAtExperiment(const ExperimentId& id) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
  const ExperimentForecast forecast = ForecastExperiment(context_.cluster.View(context_.now), id);
  if (spec.budget) {
    BudgetSnapshot snapshot{id.str(), spec.budget->limit, spec.budget->currency,
                            context_.Accrued(id), 0, std::nullopt};
    if (forecast.cost_p90) snapshot.forecast_p90 = *forecast.cost_p90;
    const Verdict verdict = EvaluateBudget(snapshot);
    if (verdict.kind == VerdictKind::kAbort) return AbortExperiment(id, verdict);
    if (!verdict.warning.empty() && !context_.cluster.experiments.Find(id)->budget_warned) {
      context_.cluster.experiments.Mutate(id).budget_warned = true;
      context_.Event(id, id.str(), "budget_warning", verdict.warning);
    }
  }
  if (spec.timeline) {
    const Verdict verdict = EvaluateSlip({id.str(), spec.timeline->finish_by,
                                          spec.timeline->max_slip_days, forecast.finish_p50});
    if (verdict.kind == VerdictKind::kAbort) return AbortExperiment(id, verdict);
    if (!verdict.warning.empty() && !context_.cluster.experiments.Find(id)->slip_warned) {
      context_.cluster.experiments.Mutate(id).slip_warned = true;
      context_.Event(id, id.str(), "slip_warning", verdict.warning);
    }
  }
}

bool PolicyRunner::MayStart(const TaskId& id) {
  const Task& task = *context_.cluster.tasks.Find(id);
  const Experiment& experiment = context_.ExperimentOf(task);
  if (experiment.stopping) return false;
  if (!experiment.spec->budget) return true;
  BudgetSnapshot snapshot{experiment.id.str(), experiment.spec->budget->limit,
                          experiment.spec->budget->currency, context_.Accrued(experiment.id), 0,
                          std::nullopt};
  const Snapshot view = context_.cluster.View(context_.now);
  const TaskForecast forecast = ForecastTask(view, task);
  for (const Task* other : context_.cluster.TasksOf(experiment.id)) {
    if (!IsActive(other->state)) continue;
    snapshot.committed += ForecastTask(view, *other).cost.value_or(0);
  }
  // An unknown speed forbids nothing: the accrual rule watches what is really spent.
  const std::string what = task.run.empty()
                               ? absl::StrCat(TaskKindName(task.kind), " ", id.str())
                               : absl::StrCat("run ", task.run.str());
  const Verdict verdict = EvaluateStart(snapshot, forecast.cost.value_or(0), what);
  if (verdict.kind != VerdictKind::kAbort) return true;
  AbortExperiment(experiment.id, verdict);
  return false;
}

}  // namespace scm
