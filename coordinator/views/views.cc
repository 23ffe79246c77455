#include "coordinator/views/views.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "common/suggest.h"
#include "common/text.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/experiment_forecast.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::views {
namespace {

constexpr size_t kLongestId = 200;  // "k-9/" and an artifact's name are shorter by far

// As a time of day.
Json TimeOrNull(const state::Snapshot& snapshot, absl::Time time) {
  return TextOrNull(Rfc3339(snapshot.timeline->Stamp(time)));
}

Json NumberOrNull(const std::optional<double>& value) {
  return value ? JsonNumber(*value) : Json(nullptr);
}

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

Json WorkerOf(const Task& task) {
  return task.attempt ? Json(task.attempt->ranks[0].worker.str()) : Json(nullptr);
}

const char* CurrentStage(const Experiment& experiment) {
  const char* name = nullptr;
  for (const StageRecord& stage : experiment.stages) {
    if (stage.state != State::kPending && stage.state != State::kSkipped) {
      name = StageName(stage.kind);
    }
  }
  return name;
}

Json RunJson(const state::Snapshot& snapshot, const Run& run) {
  const Task& task = *snapshot.tasks->at(run.task);
  const bool priced = snapshot.experiments->at(run.experiment)->spec->budget.has_value();
  Json latest = Json::object();
  for (const auto& [name, value] : run.latest) latest[name] = JsonNumber(value);
  std::optional<double> chance;  // the latest that was reported
  for (size_t i = run.validations.size(); i > 0 && !chance; --i) {
    chance = run.validations[i - 1].chance;
  }
  Json warnings = Json::array();
  for (const RunWarning& warning : run.warnings) warnings.push_back(warning.text);
  return {{"id", run.id.str()},
          {"experiment", run.experiment.str()},
          {"stage", StageName(run.stage)},
          {"trial", TextOrNull(run.trial.str())},
          {"task", run.task.str()},
          {"seed", run.seed},
          {"state", StateName(task.state)},
          {"reason", TextOrNull(ReasonOf(snapshot, task))},
          {"rule", TextOrNull(task.rule)},
          {"step", run.step},
          {"max_steps", run.max_steps},
          {"stop_at_step", run.stop_at_step},
          {"attempts", task.attempts},
          {"worker", WorkerOf(task)},
          {"parameters", run.parameters},
          {"best_step", run.best_step ? Json(*run.best_step) : Json(nullptr)},
          {"latest", latest},
          {"chance", NumberOrNull(chance)},
          {"warnings", warnings},
          {"cost", priced ? Json(state::AccruedCost(snapshot, task)) : Json(nullptr)}};
}

Json TaskJson(const state::Snapshot& snapshot, const Task& task) {
  return {{"id", task.id.str()},
          {"kind", TaskKindName(task.kind)},
          {"stage", StageName(task.stage)},
          {"run", TextOrNull(task.run.str())},
          {"scores", task.part ? Json(task.part->name) : Json(nullptr)},
          {"state", StateName(task.state)},
          {"attempts", task.attempts},
          {"worker", WorkerOf(task)},
          {"reason", TextOrNull(ReasonOf(snapshot, task))},
          {"progress", task.progress},
          {"progress_total", task.progress_total > 0 ? Json(task.progress_total) : Json(nullptr)}};
}

Json StageJson(const state::Snapshot& snapshot, const StageRecord& stage) {
  return {{"name", StageName(stage.kind)},
          {"state", StateName(stage.state)},
          {"gate", TextOrNull(stage.gate)},
          {"reason", TextOrNull(stage.reason)},
          {"started_at", TimeOrNull(snapshot, stage.started_at)},
          {"ended_at", TimeOrNull(snapshot, stage.ended_at)}};
}

absl::Status NotFound(const char* what, absl::string_view id) {
  return absl::NotFoundError(absl::StrCat("there is no ", what, " ", id));
}

}  // namespace

Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

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

Json ListView(const state::Snapshot& snapshot) {
  Json list = Json::array();
  for (const auto& [id, e] : *snapshot.experiments) {
    const char* stage = CurrentStage(*e);
    list.push_back({{"id", id.str()},
                    {"name", e->name},
                    {"state", StateName(e->state)},
                    {"stage", stage ? Json(stage) : Json(nullptr)},
                    {"decision", TextOrNull(e->decision)},
                    {"submitted_at", TimeOrNull(snapshot, e->submitted_at)}});
  }
  return {{"experiments", list}};
}

absl::StatusOr<Json> StatusView(const state::Snapshot& snapshot, absl::string_view id) {
  const auto found = snapshot.experiments->find(state::ExperimentIdOf(snapshot, id));
  if (found == snapshot.experiments->end()) return NotFound("experiment", id);
  const Experiment& e = *found->second;
  const bool priced = e.spec->budget.has_value();
  const char* stage = CurrentStage(e);
  const state::ExperimentForecast forecast = state::ForecastExperiment(snapshot, e.id);
  Json stages = Json::array(), runs = Json::array(), tasks = Json::array();
  for (const StageRecord& record : e.stages) stages.push_back(StageJson(snapshot, record));
  for (const Task* task : state::TasksInOrder(snapshot, e.id)) {
    tasks.push_back(TaskJson(snapshot, *task));
    if (!task->run.empty()) runs.push_back(RunJson(snapshot, *snapshot.runs->at(task->run)));
  }
  return Json{
      {"experiment",
       {{"id", e.id.str()},
        {"name", e.name},
        {"state", StateName(e.state)},
        {"stage", stage ? Json(stage) : Json(nullptr)},
        {"decision", TextOrNull(e.decision)},
        {"reason", TextOrNull(e.reason)},
        {"headline", TextOrNull(e.headline)},
        {"cost", priced ? Json(state::AccruedCost(snapshot, e.id)) : Json(nullptr)},
        {"currency", priced ? Json(e.spec->budget->currency) : Json(nullptr)},
        {"budget", priced ? Json(e.spec->budget->limit) : Json(nullptr)},
        {"submitted_at", TimeOrNull(snapshot, e.submitted_at)},
        {"ended_at", TimeOrNull(snapshot, e.ended_at)},
        {"now", TimeOrNull(snapshot, snapshot.at)},
        {"eta", forecast.finish_p50 ? TimeOrNull(snapshot, *forecast.finish_p50) : Json(nullptr)},
        {"eta_p90",
         forecast.finish_p90 ? TimeOrNull(snapshot, *forecast.finish_p90) : Json(nullptr)},
        {"last_abort_rule", TextOrNull(e.last_abort_rule)},
        {"last_abort_at", TimeOrNull(snapshot, e.last_abort)}}},
      {"stages", stages},
      {"runs", runs},
      {"tasks", tasks},
      {"artifacts", ArtifactNames(snapshot, e.id)}};
}

absl::StatusOr<Json> RunsView(const state::Snapshot& snapshot, absl::string_view id) {
  Json runs = Json::array();
  const auto single = snapshot.runs->find(RunId(std::string(id)));
  if (single != snapshot.runs->end()) {
    runs.push_back(RunJson(snapshot, *single->second));
    return Json{{"runs", runs}};
  }
  const bool trial = snapshot.trials->contains(TrialId(std::string(id)));
  const ExperimentId experiment = state::ExperimentIdOf(snapshot, id);
  if (!trial && !snapshot.experiments->contains(experiment)) return NotFound("experiment", id);
  for (const Task* task : state::TasksInOrder(snapshot, experiment)) {
    if (task->run.empty()) continue;
    const Run& run = *snapshot.runs->at(task->run);
    if (!trial || run.trial.str() == id) runs.push_back(RunJson(snapshot, run));
  }
  return Json{{"runs", runs}};
}

absl::StatusOr<Json> CheckpointsView(const state::Snapshot& snapshot, absl::string_view id) {
  Json list = Json::array();
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
  for (const CheckpointRecord* c : found) {
    list.push_back({{"id", c->id},
                    {"run", c->run.str()},
                    {"attempt", c->attempt},
                    {"step", c->step},
                    {"state", c->deleted ? "DELETED" : "COMPLETE"},
                    {"bytes", c->bytes},
                    {"sha256", c->sha256},
                    {"path", c->path},
                    {"damage", TextOrNull(c->damage)},
                    {"files", c->files}});
  }
  return Json{{"checkpoints", list}};
}

Json WorkersView(const state::Snapshot& snapshot) {
  Json list = Json::array();
  for (const auto& [id, worker] : *snapshot.workers) {
    Json gpus = Json::array(), tasks = Json::array();
    for (const GpuRecord& gpu : worker->gpus) {
      gpus.push_back({{"index", gpu.index},
                      {"model", gpu.model},
                      {"product", TextOrNull(gpu.product)},
                      {"memory_bytes", gpu.memory_bytes},
                      {"utilization_ratio", gpu.utilization},
                      {"memory_used_bytes", gpu.memory_used}});
    }
    for (const TaskId& task : *snapshot.open_tasks) {
      if (state::HasRankOn(*snapshot.tasks->at(task), id)) tasks.push_back(task.str());
    }
    list.push_back({{"id", id.str()},
                    {"instance", worker->instance},
                    {"host", worker->host},
                    {"state", WorkerStateName(worker->state)},
                    {"gpus", gpus},
                    {"cpus", worker->cpus},
                    {"trainers", worker->trainers},
                    {"version", worker->version},
                    {"last_seen", TimeOrNull(snapshot, worker->last_seen)},
                    {"tasks", tasks}});
  }
  return {{"workers", list}};
}

Json InventoryView(const state::Snapshot& snapshot) {
  Json measured = Json::array(), evaluated = Json::array();
  for (const auto& [id, e] : *snapshot.experiments) {
    if (const auto seconds = state::SecondsPerEvaluation(snapshot, id); seconds && e->spec->model) {
      evaluated.push_back({{"model", e->spec->model->base}, {"seconds", *seconds}});
    }
    for (const Task* task : state::TasksInOrder(snapshot, id)) {
      if (task->run.empty()) continue;
      const Run& run = *snapshot.runs->at(task->run);
      const auto pace = run.step > 0 ? state::SecondsPerStep(snapshot, run) : std::nullopt;
      if (!pace) continue;
      measured.push_back({{"experiment", e->name},
                          {"model", e->spec->model ? Json(e->spec->model->base) : Json(nullptr)},
                          {"batch_size", e->spec->training.batch_size},
                          {"gpus", e->spec->resources.gpus},
                          {"cpus", e->spec->resources.cpus},
                          {"seconds_per_step", *pace}});
    }
  }
  Json view = WorkersView(snapshot);
  view["measured"] = measured;
  view["evaluated"] = evaluated;
  return view;
}

}  // namespace scm::views
