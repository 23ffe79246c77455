#include "coordinator/controller/policy_runner.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "coordinator/controller/experiment_control.h"
#include "coordinator/core/policy/budget.h"
#include "coordinator/core/policy/non_finite.h"
#include "coordinator/core/policy/slip.h"
#include "coordinator/core/policy/stalled.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/experiment_forecast.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::controller {
namespace {

// −1 for what no count can be, so that no rule computes with it.
int64_t CountOf(const std::optional<double>& reported) {
  const double count = reported.value_or(0);
  return count >= 0 && count < 9e15 ? static_cast<int64_t>(count) : -1;
}

ValidationCounts CountsOf(const ValidationRecord& record) {
  return {CountOf(record.correct), CountOf(record.items), record.chance.value_or(0),
          record.deff.value_or(1)};
}

policy::Validation PointOf(const ValidationRecord& record) {
  policy::Validation point{record.step, *record.loss, record.accuracy, std::nullopt};
  if (record.items || record.chance) point.counts = CountsOf(record);
  return point;
}

StopRequested StopOf(const policy::Verdict& abort) {
  return {StopReason::kAbort, abort.rule, abort.reason, abort.censored};
}

}  // namespace

SavedByStop Savings(const ControllerContext& context, const Run& run, double rate) {
  SavedByStop saved;
  saved.steps = std::max<int64_t>(0, run.stop_at_step - run.step);
  const Task& task = *context.cluster.tasks.Find(run.task);
  const std::optional<double> pace = state::SecondsPerStep(context.cluster.View(context.now), run);
  if (!pace) return saved;
  saved.seconds = *pace * static_cast<double>(saved.steps);
  if (context.ExperimentOf(task).spec->budget) saved.money = saved.seconds * rate;
  return saved;
}

policy::RunHistory PolicyRunner::FactsOf(const Run& run) const {
  const Task& task = *context_.cluster.tasks.Find(run.task);
  policy::RunHistory history;
  history.run = run.id.str();
  history.step = run.step;
  history.max_steps = run.max_steps;
  history.eval_steps = context_.ExperimentOf(task).spec->training.eval_steps;
  if (const auto loss = run.latest.find("train_loss"); loss != run.latest.end()) {
    history.training_loss = loss->second;
  }
  if (const auto norm = run.latest.find("grad_norm"); norm != run.latest.end()) {
    history.grad_norm = norm->second;
  }
  history.started_at = task.attempt ? task.attempt->granted_at : absl::InfinitePast();
  history.last_report = LastSign(task);
  history.listening_since = ListeningSince(task.id);
  return history;
}

absl::Time PolicyRunner::ListeningSince(const TaskId& id) const {
  const auto since = listening_since_.find(id);
  return since == listening_since_.end() ? absl::InfinitePast() : since->second;
}

void PolicyRunner::StoodStill(absl::Duration pause) {
  for (const TaskId& id : context_.cluster.open_tasks()) {
    const Task& task = *context_.cluster.tasks.Find(id);
    if (!task.attempt) continue;
    const absl::Time heard =
        std::max({task.attempt->granted_at, LastSign(task), ListeningSince(id)});
    listening_since_[id] = heard + pause;
  }
}

const policy::RunWatches& PolicyRunner::WatchesOf(const Run& run, const policy::RunHistory& facts) {
  Watched& watched = watched_[run.id];
  if (watched.policies.empty() || watched.revision != run.validations.revision()) {
    const Task& task = *context_.cluster.tasks.Find(run.task);
    watched = {policy::MakeAbortPolicies(context_.ExperimentOf(task).spec->abort), {}, 0, 0};
    watched.watches = policy::WatchRun(watched.policies, facts);
    watched.revision = run.validations.revision();
  }
  for (; watched.seen < run.validations.size(); ++watched.seen) {
    const ValidationRecord& record = run.validations[watched.seen];
    if (!record.loss) continue;
    for (const auto& watch : watched.watches) watch->See(PointOf(record));
  }
  return watched.watches;
}

void PolicyRunner::Warn(const RunId& id, const policy::Verdict& verdict) {
  if (verdict.warning.empty()) return;
  const Run& run = *context_.cluster.runs.Find(id);
  for (const RunWarning& said : run.warnings) {
    if (said.topic == verdict.warning_topic) return;
  }
  context_.Event(run.experiment, id.str(), "run_warning", verdict.warning,
                 {{"rule", verdict.rule}, {"warning", verdict.warning_topic}});
  RunWarning warning{verdict.warning_topic, verdict.rule, run.step, verdict.warning};
  context_.Apply(id, RunWarned{std::move(warning)});
}

absl::Time PolicyRunner::LastSign(const Task& task) const {
  const auto word = context_.attempt_words.find(task.id);
  if (word == context_.attempt_words.end() || !word->second.trainer_silent) return task.last_report;
  return std::max(task.last_report, context_.now - *word->second.trainer_silent);
}

void PolicyRunner::JudgeWith(const RunId& id, const std::string& note) {
  const Run& run = *context_.cluster.runs.Find(id);
  const Task& task = *context_.cluster.tasks.Find(run.task);
  const State state = core::StandingOf(task, id).state;
  if (IsTerminal(state)) watched_.erase(id);
  if (IsTerminal(state) || state == State::kStopping) return;
  const policy::RunHistory facts = FactsOf(run);
  std::vector<policy::Verdict> verdicts;
  const std::optional<policy::Verdict> abort =
      policy::FirstAbort(WatchesOf(run, facts), facts, context_.now, &verdicts);
  for (const policy::Verdict& verdict : verdicts) {
    Warn(id, verdict);
    if (verdict.kind != policy::VerdictKind::kUndecided || verdict.reason.empty()) continue;
    const std::string& topic = verdict.topic.empty() ? verdict.reason : verdict.topic;
    if (!undecided_.insert({id, absl::StrCat(verdict.rule, topic)}).second) continue;
    context_.Event(context_.cluster.runs.Find(id)->experiment, id.str(), "undecided",
                   absl::StrCat(verdict.rule, ": ", verdict.reason));
  }
  if (abort) AbortRun(id, policy::WithNote(*abort, note));
}

void PolicyRunner::JudgeNonFinite(const RunId& id, const std::string& note) {
  const Run& run = *context_.cluster.runs.Find(id);
  const Task& task = *context_.cluster.tasks.Find(run.task);
  if (!context_.ExperimentOf(task).spec->abort.non_finite) return;
  JudgeWith(id, note);  // the history holds the value as the latest one
}

CertificateId PolicyRunner::Certify(const policy::Evidence& evidence,
                                    const ExperimentId& experiment, const Run* run, double rate) {
  const CertificateId id = context_.cluster.NewId<CertificateId>();
  Json body = {{"id", id.str()}};
  const Json rule_part = policy::EvidenceToJson(evidence);
  for (auto it = rule_part.begin(); it != rule_part.end(); ++it) body[it.key()] = it.value();
  body["at"] = Rfc3339(context_.cluster.timeline().Stamp(context_.now));
  body["verdict"] = "abort";
  Json checkpoint, saved = {{"steps", nullptr}, {"seconds", nullptr}, {"money", nullptr}};
  if (run != nullptr) {
    const CheckpointRecord* latest =
        state::LatestCheckpoint(context_.cluster.View(context_.now), run->id);
    if (latest != nullptr) {
      checkpoint = {{"id", latest->id}, {"step", latest->step}, {"sha256", latest->sha256}};
    }
    const SavedByStop unspent = Savings(context_, *run, rate);
    saved["steps"] = unspent.steps;
    if (unspent.seconds >= 0) saved["seconds"] = unspent.seconds;
    if (unspent.money >= 0) saved["money"] = unspent.money;
  }
  const auto& budget = context_.cluster.experiments.Find(experiment)->spec->budget;
  if (run == nullptr) {
    const state::ExperimentForecast rest =
        state::ForecastExperiment(context_.cluster.View(context_.now), experiment);
    if (rest.work_seconds) saved["seconds"] = *rest.work_seconds;
    if (budget && rest.cost_p50) {
      saved["money"] = std::max(0.0, *rest.cost_p50 - context_.Accrued(experiment));
    }
  }
  saved["currency"] = budget ? Json(budget->currency) : Json(nullptr);
  body["checkpoint"] = checkpoint;
  body["saved"] = saved;
  context_.Add(
      CertificateRecord{id, experiment, run != nullptr ? run->id : RunId(), std::move(body)});
  return id;
}

void PolicyRunner::AbortRun(const RunId& id, const policy::Verdict& verdict) {
  const Run run = *context_.cluster.runs.Find(id);
  const CertificateId certificate =
      Certify(*verdict.evidence, run.experiment, &run,
              context_.CostRate(*context_.cluster.tasks.Find(run.task)));
  context_.Apply(run.experiment, AbortNoted{verdict.rule}).IgnoreError();
  context_.Event(run.experiment, id.str(), "run_abort",
                 absl::StrCat(verdict.rule, ": ", verdict.reason),
                 {{"rule", verdict.rule}, {"certificate", certificate.str()}});
  context_.StopRun(id, StopOf(verdict)).IgnoreError();
}

void PolicyRunner::CertifyDiverged(const RunId& id, const std::string& message, double rate) {
  const Run run = *context_.cluster.runs.Find(id);
  for (const auto& [key, certificate] : context_.cluster.certificates.all()) {
    if (certificate->run == id) return;
  }
  context_.Apply(run.experiment, AbortNoted{policy::kNonFinite}).IgnoreError();
  Certify(policy::DivergedEvidence(FactsOf(run), message), run.experiment, &run, rate);
}

void PolicyRunner::VoidAborts(const RunId& id) {
  std::vector<CertificateId> found;
  for (const auto& [key, certificate] : context_.cluster.certificates.all()) {
    if (certificate->run == id) found.push_back(key);
  }
  for (const CertificateId& key : found) {
    context_.cluster.Apply(key, AbortSuperseded{});
    context_.Event(context_.cluster.runs.Find(id)->experiment, id.str(), "abort_overtaken",
                   "the run finished before its abort reached it: it counts as SUCCEEDED");
  }
}

void PolicyRunner::AbortExperiment(const ExperimentId& id, const policy::Verdict& verdict) {
  Certify(*verdict.evidence, id, nullptr, 0);
  StopExperiment(context_, id, StopOf(verdict));
}

void PolicyRunner::JudgeAll() {
  std::erase_if(watched_, [&](const auto& entry) {
    return IsTerminal(context_.StandingOf(entry.first).state);
  });
  const std::set<TaskId> open = context_.cluster.open_tasks();  // the rules may end some of them
  std::set<ExperimentId> experiments;
  for (const TaskId& id : open) {
    const Task& task = *context_.cluster.tasks.Find(id);
    experiments.insert(task.experiment);
    if (task.state != State::kRunning) continue;
    const std::vector<RunId> runs = core::RunsIn(task);
    if (runs.empty()) JudgeTask(id);
    for (const RunId& run : runs) Judge(run);
  }
  for (const ExperimentId& id : experiments) {
    const Experiment& experiment = *context_.cluster.experiments.Find(id);
    if (experiment.state == State::kRunning && !experiment.stopping) JudgeBudgetAndSlip(id);
  }
}

// An evaluation or an export reports its progress too: silence means the same.
void PolicyRunner::JudgeTask(const TaskId& id) {
  const Task& task = *context_.cluster.tasks.Find(id);
  const auto& stalled = context_.ExperimentOf(task).spec->abort.stalled;
  if (!stalled) return;
  policy::RunHistory history;
  history.run = id.str();
  history.step = task.progress;
  history.started_at = task.attempt->granted_at;
  history.last_report = LastSign(task);
  history.listening_since = ListeningSince(id);
  const policy::Verdict verdict = policy::StalledPolicy(*stalled).Evaluate(history, context_.now);
  if (verdict.kind != policy::VerdictKind::kAbort) return;
  const ExperimentId experiment = task.experiment;
  Certify(*verdict.evidence, experiment, nullptr, 0);
  context_.Apply(experiment, AbortNoted{verdict.rule}).IgnoreError();
  context_.Transition(id, StopOf(verdict)).IgnoreError();
}

void PolicyRunner::JudgeBudgetAndSlip(const ExperimentId& id) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
  if (!spec.budget && !spec.timeline) return;
  const state::ExperimentForecast forecast =
      state::ForecastExperiment(context_.cluster.View(context_.now), id);
  if (spec.budget) {
    policy::BudgetSnapshot snapshot{
        id.str(), spec.budget->limit, spec.budget->currency, context_.Accrued(id), 0, std::nullopt};
    snapshot.leased_seconds = context_.LeasedSeconds(id);
    if (forecast.cost_p90) snapshot.forecast_p90 = *forecast.cost_p90;
    const policy::Verdict verdict = policy::EvaluateBudget(snapshot);
    if (verdict.kind == policy::VerdictKind::kAbort) return AbortExperiment(id, verdict);
    if (!verdict.warning.empty() && !context_.cluster.experiments.Find(id)->budget_warned) {
      context_.Apply(id, BudgetWarned{}).IgnoreError();
      context_.Event(id, id.str(), "budget_warning", verdict.warning);
    }
  }
  if (spec.timeline) {
    const policy::Verdict verdict = policy::EvaluateSlip(
        {id.str(), spec.timeline->finish_by, spec.timeline->max_slip_days, forecast.due_by_p50});
    if (verdict.kind == policy::VerdictKind::kAbort) return AbortExperiment(id, verdict);
    if (!verdict.warning.empty() && !context_.cluster.experiments.Find(id)->slip_warned) {
      context_.Apply(id, SlipWarned{}).IgnoreError();
      context_.Event(id, id.str(), "slip_warning", verdict.warning);
    }
  }
}

bool PolicyRunner::MayStart(const TaskId& id) {
  const Task& task = *context_.cluster.tasks.Find(id);
  const Experiment& experiment = context_.ExperimentOf(task);
  // A task that a drain put back to PENDING may belong to an experiment that was paused meanwhile.
  if (experiment.stopping || experiment.state != State::kRunning) return false;
  if (!experiment.spec->budget) return true;
  policy::BudgetSnapshot snapshot{experiment.id.str(),
                                  experiment.spec->budget->limit,
                                  experiment.spec->budget->currency,
                                  context_.Accrued(experiment.id),
                                  0,
                                  std::nullopt,
                                  context_.LeasedSeconds(experiment.id)};
  const state::Snapshot view = context_.cluster.View(context_.now);
  const state::TaskForecast forecast = state::ForecastTask(view, task);
  for (const Task* other : context_.cluster.TasksOf(experiment.id)) {
    if (!IsActive(other->state) || other->state == State::kStopping) continue;
    snapshot.committed += state::ForecastTask(view, *other).cost.value_or(0);
  }
  // An unknown speed forbids nothing: the accrual rule watches what is really spent.
  const std::string what =
      task.run.empty()
          ? absl::StrCat(task.pack.empty() ? TaskKindName(task.kind) : "pack", " ", id.str())
          : absl::StrCat("run ", task.run.str());
  const policy::Verdict verdict = policy::EvaluateStart(snapshot, forecast.cost.value_or(0), what);
  if (verdict.kind != policy::VerdictKind::kAbort) return true;
  AbortExperiment(experiment.id, verdict);
  return false;
}

}  // namespace scm::controller
