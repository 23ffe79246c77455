#include "coordinator/views/views.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "common/suggest.h"
#include "common/text.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/experiment_forecast.h"
#include "coordinator/state/gpu_use.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/message_parts.h"

namespace scm::views {
namespace {

constexpr size_t kLongestId = 200;  // "k-9/" and an artifact's name are shorter by far

std::string ReasonOf(const state::Snapshot& snapshot, const Task& task) {
  if (task.state == State::kPending) {
    const auto waiting = snapshot.waiting_reasons->find(task.id);
    if (waiting != snapshot.waiting_reasons->end()) {
      return task.reason.empty() ? waiting->second
                                 : absl::StrCat(waiting->second, " (", task.reason, ")");
    }
  }
  const std::string waits = state::WaitsFor(snapshot, task);
  return absl::StrCat(task.reason, task.reason.empty() || waits.empty() ? "" : "; ", waits);
}

std::string WorkerOf(const Task& task) {
  return task.attempt ? task.attempt->ranks[0].worker.str() : "";
}

// The latest that has begun, or "".
std::string CurrentStage(const Experiment& experiment) {
  std::string name;
  for (const StageRecord& stage : experiment.stages) {
    if (stage.state != State::kPending && stage.state != State::kSkipped) {
      name = StageName(stage.kind);
    }
  }
  return name;
}

// Of a run: where it is one of several, what became of it alone goes before what is said of all.
std::string ReasonOf(const state::Snapshot& snapshot, const Task& task,
                     const core::RunStanding& run) {
  return run.own_reason ? run.reason : ReasonOf(snapshot, task);
}

v1::Run RunMessage(const state::Snapshot& snapshot, const Run& run) {
  const Task& task = *snapshot.tasks->at(run.task);
  const core::RunStanding standing = core::StandingOf(task, run.id);
  v1::Run out;
  out.set_id(run.id.str());
  out.set_experiment(run.experiment.str());
  out.set_stage(StageName(run.stage));
  SetKnown(out, &v1::Run::mutable_trial, run.trial.str());
  out.set_task(run.task.str());
  out.set_seed(run.seed);
  out.set_state(StateName(standing.state));
  SetKnown(out, &v1::Run::mutable_reason, ReasonOf(snapshot, task, standing));
  SetKnown(out, &v1::Run::mutable_rule, standing.rule);
  out.set_step(run.step);
  out.set_max_steps(run.max_steps);
  out.set_stop_at_step(run.stop_at_step);
  out.set_attempts(task.attempts);
  if (!IsTerminal(standing.state)) SetKnown(out, &v1::Run::mutable_worker, WorkerOf(task));
  *out.mutable_parameters() = answers::ObjectOf(run.parameters);
  if (run.best_step) out.set_best_step(*run.best_step);
  for (const auto& [name, value] : run.latest) (*out.mutable_latest())[name] = value;
  // The latest that was reported.
  for (size_t i = run.validations.size(); i > 0 && !out.has_chance(); --i) {
    if (const auto& chance = run.validations[i - 1].chance) out.set_chance(*chance);
  }
  for (const RunWarning& warning : run.warnings) out.add_warnings(warning.text);
  if (snapshot.experiments->at(run.experiment)->spec->budget) {
    out.set_cost(state::AccruedCost(snapshot, run));
  }
  return out;
}

v1::Task TaskMessage(const state::Snapshot& snapshot, const Task& task) {
  v1::Task out;
  out.set_id(task.id.str());
  out.set_kind(TaskKindName(task.kind));
  out.set_stage(StageName(task.stage));
  SetKnown(out, &v1::Task::mutable_run, task.run.str());
  for (const PackedRun& packed : task.pack) out.add_runs(packed.run.str());
  if (task.part) out.set_scores(task.part->name);
  out.set_state(StateName(task.state));
  out.set_attempts(task.attempts);
  SetKnown(out, &v1::Task::mutable_worker, WorkerOf(task));
  SetKnown(out, &v1::Task::mutable_reason, ReasonOf(snapshot, task));
  out.set_progress(task.progress);
  if (task.progress_total > 0) out.set_progress_total(task.progress_total);
  return out;
}

v1::Stage StageMessage(const state::Snapshot& snapshot, const StageRecord& stage) {
  v1::Stage out;
  out.set_name(StageName(stage.kind));
  out.set_state(StateName(stage.state));
  SetKnown(out, &v1::Stage::mutable_gate, stage.gate);
  SetKnown(out, &v1::Stage::mutable_reason, stage.reason);
  SetKnown(out, &v1::Stage::mutable_started_at, StampOf(snapshot, stage.started_at));
  SetKnown(out, &v1::Stage::mutable_ended_at, StampOf(snapshot, stage.ended_at));
  return out;
}

v1::Experiment ExperimentMessage(const state::Snapshot& snapshot, const Experiment& e) {
  using Out = v1::Experiment;
  Out out;
  out.set_id(e.id.str());
  out.set_name(e.name);
  out.set_state(StateName(e.state));
  SetKnown(out, &Out::mutable_stage, CurrentStage(e));
  SetKnown(out, &Out::mutable_decision, e.decision);
  SetKnown(out, &Out::mutable_reason, e.reason);
  SetKnown(out, &Out::mutable_headline, e.headline);
  if (const auto& budget = e.spec->budget) {
    out.set_cost(state::AccruedCost(snapshot, e.id));
    out.set_currency(budget->currency);
    out.set_budget(budget->limit);
  }
  SetKnown(out, &Out::mutable_submitted_at, StampOf(snapshot, e.submitted_at));
  SetKnown(out, &Out::mutable_ended_at, StampOf(snapshot, e.ended_at));
  SetKnown(out, &Out::mutable_now, StampOf(snapshot, snapshot.at));
  const state::ExperimentForecast forecast = state::ForecastExperiment(snapshot, e.id);
  if (forecast.finish_p50) {
    SetKnown(out, &Out::mutable_eta, StampOf(snapshot, *forecast.finish_p50));
  }
  if (forecast.finish_p90) {
    SetKnown(out, &Out::mutable_eta_p90, StampOf(snapshot, *forecast.finish_p90));
  }
  SetKnown(out, &Out::mutable_last_abort_rule, e.last_abort_rule);
  SetKnown(out, &Out::mutable_last_abort_at, StampOf(snapshot, e.last_abort));
  return out;
}

v1::Checkpoint CheckpointMessage(const CheckpointRecord& c) {
  v1::Checkpoint out;
  out.set_id(c.id);
  out.set_run(c.run.str());
  out.set_attempt(c.attempt);
  out.set_step(c.step);
  out.set_state(c.deleted ? "DELETED" : "COMPLETE");
  out.set_bytes(c.bytes);
  out.set_sha256(c.sha256);
  out.set_path(c.path);
  SetKnown(out, &v1::Checkpoint::mutable_damage, c.damage);
  for (const Json& file : c.files) *out.add_files() = FileOf(file);
  return out;
}

v1::Worker WorkerMessage(const state::Snapshot& snapshot, const Worker& worker) {
  v1::Worker out;
  out.set_id(worker.id.str());
  out.set_instance(worker.instance);
  out.set_host(worker.host);
  out.set_state(WorkerStateName(worker.state));
  const state::GpuUses uses = state::UsesOfGpus(snapshot, worker);
  for (const GpuRecord& gpu : worker.gpus) {
    v1::WorkerGpu& added = *out.add_gpus();
    added.set_index(gpu.index);
    added.set_model(gpu.model);
    SetKnown(added, &v1::WorkerGpu::mutable_product, gpu.product);
    added.set_memory_bytes(gpu.memory_bytes);
    added.set_utilization_ratio(gpu.utilization);
    added.set_memory_used_bytes(gpu.memory_used);
    added.set_granted_ratio(state::GrantedPart(uses, gpu.index));
  }
  out.set_cpus(worker.cpus);
  for (const std::string& trainer : worker.trainers) out.add_trainers(trainer);
  out.set_version(worker.version);
  SetKnown(out, &v1::Worker::mutable_last_seen, StampOf(snapshot, worker.last_seen));
  for (const TaskId& task : *snapshot.open_tasks) {
    if (state::HasRankOn(*snapshot.tasks->at(task), worker.id)) out.add_tasks(task.str());
  }
  return out;
}

absl::Status NotFound(const char* what, absl::string_view id) {
  return absl::NotFoundError(absl::StrCat("there is no ", what, " ", id));
}

}  // namespace

absl::StatusOr<std::string> ResolveId(const state::Snapshot& snapshot, absl::string_view id) {
  const std::string text(id);
  // Looking for something similar takes as long as the text is long.
  if (text.size() > kLongestId) {
    return absl::NotFoundError(
        absl::StrCat("nothing has the id or name \"", LineOf(id, kLongestId), "\""));
  }
  if (snapshot.experiments->contains(ExperimentId(text)) || snapshot.runs->contains(RunId(text)) ||
      snapshot.tasks->contains(TaskId(text)) || snapshot.trials->contains(TrialId(text)) ||
      snapshot.workers->contains(WorkerId(text)) ||
      snapshot.certificates->contains(CertificateId(text)) ||
      snapshot.checkpoints->contains(text) || snapshot.artifacts->contains(text)) {
    return text;
  }
  std::vector<std::string> names;
  std::string latest;
  for (const auto& [experiment_id, experiment] : *snapshot.experiments) {
    if (experiment->name == text) latest = experiment_id.str();
    names.push_back(experiment->name);
  }
  if (!latest.empty()) return latest;
  const std::string near = Suggest(id, names);
  return absl::NotFoundError(absl::StrCat("nothing has the id or name \"", LineOf(id), "\"",
                                          near.empty()
                                              ? "; `scmctl ls` lists the experiments"
                                              : absl::StrCat(". Did you mean ", near, "?")));
}

v1::ExperimentsAnswer ListView(const state::Snapshot& snapshot) {
  v1::ExperimentsAnswer answer;
  for (const auto& [id, e] : *snapshot.experiments) {
    v1::ExperimentListing& one = *answer.add_experiments();
    one.set_id(id.str());
    one.set_name(e->name);
    one.set_state(StateName(e->state));
    SetKnown(one, &v1::ExperimentListing::mutable_stage, CurrentStage(*e));
    SetKnown(one, &v1::ExperimentListing::mutable_decision, e->decision);
    SetKnown(one, &v1::ExperimentListing::mutable_submitted_at, StampOf(snapshot, e->submitted_at));
  }
  return answer;
}

absl::StatusOr<v1::StatusAnswer> StatusView(const state::Snapshot& snapshot, absl::string_view id) {
  const auto found = snapshot.experiments->find(state::ExperimentIdOf(snapshot, id));
  if (found == snapshot.experiments->end()) return NotFound("experiment", id);
  const Experiment& e = *found->second;
  v1::StatusAnswer answer;
  *answer.mutable_experiment() = ExperimentMessage(snapshot, e);
  for (const StageRecord& stage : e.stages) *answer.add_stages() = StageMessage(snapshot, stage);
  for (const Task* task : state::TasksInOrder(snapshot, e.id)) {
    *answer.add_tasks() = TaskMessage(snapshot, *task);
    for (const RunId& run : core::RunsIn(*task)) {
      *answer.add_runs() = RunMessage(snapshot, *snapshot.runs->at(run));
    }
  }
  for (v1::ArtifactListing& artifact : ArtifactNames(snapshot, e.id)) {
    *answer.add_artifacts() = std::move(artifact);
  }
  return answer;
}

absl::StatusOr<v1::RunsAnswer> RunsView(const state::Snapshot& snapshot, absl::string_view id) {
  v1::RunsAnswer answer;
  const auto single = snapshot.runs->find(RunId(std::string(id)));
  if (single != snapshot.runs->end()) {
    *answer.add_runs() = RunMessage(snapshot, *single->second);
    return answer;
  }
  const bool trial = snapshot.trials->contains(TrialId(std::string(id)));
  const ExperimentId experiment = state::ExperimentIdOf(snapshot, id);
  if (!trial && !snapshot.experiments->contains(experiment)) return NotFound("experiment", id);
  for (const Run* run : state::RunsInOrder(snapshot, experiment)) {
    if (!trial || run->trial.str() == id) *answer.add_runs() = RunMessage(snapshot, *run);
  }
  return answer;
}

absl::StatusOr<v1::CheckpointsAnswer> CheckpointsView(const state::Snapshot& snapshot,
                                                      absl::string_view id) {
  const std::string text(id);
  const bool run = snapshot.runs->contains(RunId(text));
  const ExperimentId experiment = state::ExperimentIdOf(snapshot, id);
  if (!run && !snapshot.experiments->contains(experiment)) return NotFound("run", id);
  std::vector<const CheckpointRecord*> found;
  for (const auto& [key, record] : *snapshot.checkpoints) {
    if (run ? record->run.str() == text
            : snapshot.runs->at(record->run)->experiment == experiment) {
      found.push_back(record.get());
    }
  }
  std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) {
    return std::pair(a->run, a->step) < std::pair(b->run, b->step);
  });
  v1::CheckpointsAnswer answer;
  for (const CheckpointRecord* c : found) *answer.add_checkpoints() = CheckpointMessage(*c);
  return answer;
}

v1::WorkersAnswer WorkersView(const state::Snapshot& snapshot) {
  v1::WorkersAnswer answer;
  for (const auto& [id, worker] : *snapshot.workers) {
    *answer.add_workers() = WorkerMessage(snapshot, *worker);
  }
  return answer;
}

v1::InventoryAnswer InventoryView(const state::Snapshot& snapshot) {
  v1::InventoryAnswer answer;
  for (const auto& [id, worker] : *snapshot.workers) {
    *answer.add_workers() = WorkerMessage(snapshot, *worker);
  }
  for (const auto& [id, e] : *snapshot.experiments) {
    const auto& model = e->spec->model;
    if (const auto seconds = state::SecondsPerEvaluation(snapshot, id); seconds && model) {
      v1::MeasuredEvaluation& evaluated = *answer.add_evaluated();
      evaluated.set_model(model->base);
      evaluated.set_seconds(*seconds);
    }
    for (const Run* measured_run : state::RunsInOrder(snapshot, id)) {
      const Run& run = *measured_run;
      const auto pace = run.step > 0 ? state::SecondsPerStep(snapshot, run) : std::nullopt;
      if (!pace) continue;
      v1::MeasuredStep& measured = *answer.add_measured();
      measured.set_experiment(e->name);
      if (model) measured.set_model(model->base);
      measured.set_batch_size(e->spec->training.batch_size);
      const core::GpuRequest gpus = core::GpusOf(e->spec->resources);
      measured.set_gpus(gpus.count);
      if (gpus.IsShare()) measured.set_gpu_share(core::ShareOf(gpus));
      measured.set_cpus(e->spec->resources.cpus);
      measured.set_seconds_per_step(*pace);
    }
  }
  return answer;
}

}  // namespace scm::views
