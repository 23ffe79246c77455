#include <algorithm>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "common/human.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/message_parts.h"
#include "coordinator/views/views.h"

namespace scm::views {
namespace {

const CertificateRecord* CertificateOf(const state::Snapshot& snapshot, const RunId& run) {
  const CertificateRecord* found = nullptr;
  for (const auto& [id, certificate] : *snapshot.certificates) {
    if (certificate->run == run) found = certificate.get();
  }
  return found;
}

// `at` "" = unknown; `rule` "" = none.
v1::Reason ReasonOf(const std::string& at, const std::string& subject, const std::string& rule,
                    const std::string& verdict, const std::string& text) {
  v1::Reason reason;
  SetKnown(reason, &v1::Reason::mutable_at, at);
  reason.set_subject(subject);
  SetKnown(reason, &v1::Reason::mutable_rule, rule);
  reason.set_verdict(verdict);
  reason.set_text(text);
  return reason;
}

v1::Reason CertificateReason(const CertificateRecord& certificate) {
  const Json& body = certificate.body;
  v1::Reason reason =
      ReasonOf(StringAt(body, "at"),
               certificate.run.empty() ? certificate.experiment.str() : certificate.run.str(),
               StringAt(body, "rule"), StringAt(body, "verdict"), StringAt(body, "reason"));
  *reason.mutable_certificate() = answers::ObjectOf(body);
  return reason;
}

// Why a task is in its state: the waiting reason of a pending one, else what its last change said.
std::string TextOf(const state::Snapshot& snapshot, const Task& task) {
  if (task.state == State::kPending) {
    const auto waiting = snapshot.waiting_reasons->find(task.id);
    if (waiting != snapshot.waiting_reasons->end()) {
      return absl::StrCat(waiting->second, task.reason.empty() ? "" : "; ", task.reason);
    }
  } else if (const std::string waits = state::WaitsFor(snapshot, task); !waits.empty()) {
    return absl::StrCat(waits, task.reason.empty() ? "" : "; ", task.reason);
  }
  return task.reason;
}

// Of a run, or of a task as it is itself (`run` empty: no run, or several of which each has its
// own).
v1::Reason TaskReason(const state::Snapshot& snapshot, const Task& task, const RunId& run) {
  const core::RunStanding standing = core::StandingOf(task, run);
  std::string text = standing.own_reason ? standing.reason : TextOf(snapshot, task);
  if (!run.empty()) {
    const std::string& missing = snapshot.runs->at(run)->metric_missing;
    if (!missing.empty()) absl::StrAppend(&text, text.empty() ? "" : "; ", missing);
  }
  const absl::Time at = IsTerminal(standing.state) ? standing.ended_at : snapshot.at;
  return ReasonOf(StampOf(snapshot, at), run.empty() ? task.id.str() : run.str(), standing.rule,
                  StateName(standing.state),
                  absl::StrCat(StateName(standing.state), text.empty() ? "" : ": ", text));
}

// What was seen of a run and stopped nothing.
void AddWarnings(const state::Snapshot& snapshot, const RunId& id, v1::WhyAnswer& answer) {
  const auto run = snapshot.runs->find(id);
  if (run == snapshot.runs->end()) return;
  for (const RunWarning& warning : run->second->warnings) {
    *answer.add_reasons() = ReasonOf("", id.str(), warning.rule, "warning", warning.text);
  }
}

void AddRun(const state::Snapshot& snapshot, const Task& task, const RunId& run,
            v1::WhyAnswer& answer) {
  // A run that finished before its abort reached it has a certificate, but not one that explains
  // it.
  const State state = core::StandingOf(task, run).state;
  const bool ended_by_rule = state == State::kAborted || state == State::kStopping;
  const CertificateRecord* certificate =
      ended_by_rule && !run.empty() ? CertificateOf(snapshot, run) : nullptr;
  *answer.add_reasons() =
      certificate != nullptr ? CertificateReason(*certificate) : TaskReason(snapshot, task, run);
  AddWarnings(snapshot, run, answer);
}

// A task of several runs is told of itself, and then of each of them.
void AddTask(const state::Snapshot& snapshot, const Task& task, v1::WhyAnswer& answer) {
  AddRun(snapshot, task, task.run, answer);
  for (const PackedRun& packed : task.pack) AddRun(snapshot, task, packed.run, answer);
}

void AddRun(const state::Snapshot& snapshot, const Run& run, v1::WhyAnswer& answer) {
  AddRun(snapshot, *snapshot.tasks->at(run.task), run.id, answer);
}

// What simply succeeded needs no reason.
void AddUnlessWell(const state::Snapshot& snapshot, const Task& task, const RunId& run,
                   v1::WhyAnswer& answer) {
  const core::RunStanding standing = core::StandingOf(task, run);
  if (standing.state != State::kSucceeded || standing.stop_reason) {
    AddRun(snapshot, task, run, answer);
  } else {
    AddWarnings(snapshot, run, answer);
  }
}

// The experiment's own reason, its stages' gates, its certificates, and every task that did not
// simply succeed.
void AddExperiment(const state::Snapshot& snapshot, const Experiment& experiment,
                   v1::WhyAnswer& answer) {
  const absl::Time at =
      experiment.ended_at == absl::InfinitePast() ? snapshot.at : experiment.ended_at;
  *answer.add_reasons() = ReasonOf(
      StampOf(snapshot, at), experiment.id.str(), experiment.stop_rule, StateName(experiment.state),
      absl::StrCat(StateName(experiment.state), experiment.reason.empty() ? "" : ": ",
                   experiment.reason));
  for (const auto& [id, certificate] : *snapshot.certificates) {
    if (certificate->experiment == experiment.id && certificate->run.empty()) {
      *answer.add_reasons() = CertificateReason(*certificate);
    }
  }
  for (const StageRecord& stage : experiment.stages) {
    if (stage.gate.empty()) continue;
    *answer.add_reasons() = ReasonOf(StampOf(snapshot, stage.ended_at), StageName(stage.kind),
                                     "gate", stage.gate, stage.reason);
  }
  for (const Task* task : state::TasksInOrder(snapshot, experiment.id)) {
    if (task->pack.empty()) AddUnlessWell(snapshot, *task, task->run, answer);
    for (const PackedRun& packed : task->pack) {
      AddUnlessWell(snapshot, *task, packed.run, answer);
    }
  }
}

// What its state means for the work, and how it may be changed.
std::string WorkerText(const state::Snapshot& snapshot, const Worker& worker) {
  const std::string undo =
      absl::StrCat("; `scmctl workers drain --undo ", worker.id.str(), "` takes it back");
  switch (worker.state) {
    case WorkerState::kReady:
      return worker.strikes == 0
                 ? "it takes new work"
                 : absl::StrCat(
                       "it takes new work; attempts in a row that ended by themselves without a "
                       "newer checkpoint: ",
                       worker.strikes);
    case WorkerState::kDraining:
      return worker.standing == WorkerState::kDraining
                 ? absl::StrCat("what it runs moves after a checkpoint, and it gets nothing new",
                                undo)
                 : "it goes down once what it runs has saved a checkpoint, and gets nothing new "
                   "until it is back";
    case WorkerState::kQuarantined:
      return absl::StrCat(worker.strikes,
                          " attempts in a row ended by themselves without a newer checkpoint; it "
                          "gets nothing new",
                          undo);
    case WorkerState::kLost:
      return absl::StrCat("no word from it since ",
                          Rfc3339(snapshot.timeline->Stamp(worker.last_seen)),
                          "; what it ran goes on elsewhere, and any word from it brings it back");
  }
  return "";
}

void AddWorker(const state::Snapshot& snapshot, const Worker& worker, v1::WhyAnswer& answer) {
  *answer.add_reasons() = ReasonOf(
      StampOf(snapshot, worker.last_seen), worker.id.str(), "", WorkerStateName(worker.state),
      absl::StrCat(WorkerStateName(worker.state), ": ", WorkerText(snapshot, worker)));
  for (const TaskId& id : *snapshot.open_tasks) {
    const Task& task = *snapshot.tasks->at(id);
    if (state::HasRankOn(task, worker.id)) AddTask(snapshot, task, answer);
  }
}

}  // namespace

absl::StatusOr<v1::WhyAnswer> WhyView(const state::Snapshot& snapshot, absl::string_view id) {
  const std::string text(id);
  v1::WhyAnswer answer;
  answer.set_id(text);
  if (const auto e = snapshot.experiments->find(ExperimentId(text));
      e != snapshot.experiments->end()) {
    AddExperiment(snapshot, *e->second, answer);
  } else if (const auto r = snapshot.runs->find(RunId(text)); r != snapshot.runs->end()) {
    AddRun(snapshot, *r->second, answer);
  } else if (const auto t = snapshot.trials->find(TrialId(text)); t != snapshot.trials->end()) {
    AddRun(snapshot, *snapshot.runs->at(t->second->run), answer);
  } else if (const auto k = snapshot.tasks->find(TaskId(text)); k != snapshot.tasks->end()) {
    AddTask(snapshot, *k->second, answer);
  } else if (const auto c = snapshot.certificates->find(CertificateId(text));
             c != snapshot.certificates->end()) {
    *answer.add_reasons() = CertificateReason(*c->second);
  } else if (const auto w = snapshot.workers->find(WorkerId(text)); w != snapshot.workers->end()) {
    AddWorker(snapshot, *w->second, answer);
  } else if (const auto b = snapshot.checkpoints->find(text); b != snapshot.checkpoints->end()) {
    *answer.add_reasons() =
        ReasonOf("", text, "", b->second->deleted ? "DELETED" : "COMPLETE",
                 absl::StrCat("checkpoint of ", b->second->run.str(), " at step ", b->second->step,
                              ", attempt ", b->second->attempt,
                              b->second->damage.empty() ? "" : "; damaged: ", b->second->damage));
  } else {
    return absl::NotFoundError(absl::StrCat("nothing has the id \"", text, "\""));
  }
  return answer;
}

}  // namespace scm::views
