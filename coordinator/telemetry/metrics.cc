#include "coordinator/telemetry/metrics.h"

#include <algorithm>
#include <array>

#include "coordinator/core/policy/abort_policy.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/experiment_forecast.h"
#include "coordinator/state/gpu_use.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/telemetry/family_set.h"
#include "coordinator/views/views.h"

namespace scm::telemetry {
namespace {

using Labels = FamilySet::Labels;

constexpr std::array kTaskStates = {State::kPending,  State::kAssigned, State::kRunning,
                                    State::kStopping, State::kPaused,   State::kSucceeded,
                                    State::kFailed,   State::kAborted,  State::kCancelled};
double UnixSeconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

Labels RunLabels(const Run& run) {
  return {{"experiment", run.experiment.str()},
          {"run", run.id.str()},
          {"seed", std::to_string(run.seed)}};
}

Labels With(Labels labels, const std::string& name, const std::string& value) {
  labels.emplace_back(name, value);
  return labels;
}

void AddLatest(FamilySet& out, const Run& run, const char* reported, const char* name,
               const char* help) {
  const auto value = run.latest.find(reported);
  if (value != run.latest.end()) out.Gauge(name, help, RunLabels(run), value->second);
}

void AddCheckpoints(FamilySet& out, const state::Snapshot& snapshot, const Run& run,
                    const std::map<RunId, int64_t>& last_steps) {
  const auto last = last_steps.find(run.id);
  if (last == last_steps.end()) return;
  out.Gauge("scm_run_last_checkpoint_step", "Step of the latest complete checkpoint.",
            RunLabels(run), static_cast<double>(last->second));
  const auto record = snapshot.checkpoints->find(run.id.str() + "/" + std::to_string(last->second));
  if (record == snapshot.checkpoints->end()) return;
  out.Gauge("scm_run_last_checkpoint_timestamp_seconds",
            "Unix time at which the latest checkpoint was committed.", RunLabels(run),
            UnixSeconds(snapshot.timeline->Stamp(record->second->committed_at)));
}

// Every rule has its series from the start: a counter that appears as 1 shows no increase.
void AddAborts(FamilySet& out, const core::RunStanding& run, const Labels& labels) {
  const char* help = "Aborts of the run, by rule.";
  const std::string ended_by = run.state == State::kAborted ? run.rule : "";
  bool known = false;
  for (const char* rule : policy::kRuleWords) {
    known = known || ended_by == rule;
    out.Counter("scm_run_aborts_total", help, With(labels, "rule", rule), ended_by == rule ? 1 : 0);
  }
  if (!known && !ended_by.empty()) {
    out.Counter("scm_run_aborts_total", help, With(labels, "rule", ended_by), 1);
  }
}

void AddRun(FamilySet& out, const state::Snapshot& snapshot, const Run& run,
            const std::map<RunId, int64_t>& last_steps) {
  const core::RunStanding standing = state::StandingOf(snapshot, run);
  const Labels labels = RunLabels(run);
  out.Gauge("scm_run_step", "Latest optimiser step reported.", labels,
            static_cast<double>(run.step));
  out.Gauge("scm_run_target_steps", "Step at which the run ends.", labels,
            static_cast<double>(run.stop_at_step));
  AddLatest(out, run, "train_loss", "scm_run_train_loss",
            "Training loss of the latest step, nats.");
  AddLatest(out, run, "validation_loss", "scm_run_validation_loss",
            "Loss of the latest validation, nats a label.");
  AddLatest(out, run, "validation_accuracy", "scm_run_validation_accuracy_ratio",
            "Accuracy of the latest validation, 0 to 1.");
  AddLatest(out, run, "grad_norm", "scm_run_grad_norm", "Gradient norm before clipping.");
  AddLatest(out, run, "learning_rate", "scm_run_learning_rate",
            "Learning rate of the latest step.");
  if (run.latest.contains("tokens")) {
    out.Counter("scm_run_tokens_total", "Tokens trained on by all attempts.", labels,
                run.tokens_total);
  }
  out.Counter("scm_run_cost_total", "Money accrued, in the experiment's currency.", labels,
              state::AccruedCost(snapshot, run));
  for (const State state : kTaskStates) {
    out.Gauge("scm_run_state", "1 for the state the run is in, 0 for the others.",
              With(labels, "state", StateName(state)), standing.state == state ? 1 : 0);
  }
  AddCheckpoints(out, snapshot, run, last_steps);
  AddAborts(out, standing, labels);
}

// What an experiment's runs came to.
struct RunTotals {
  std::map<State, int> states;
  std::map<std::string, int> aborts;  // by rule
};

std::map<ExperimentId, RunTotals> TotalsOf(const state::Snapshot& snapshot) {
  std::map<ExperimentId, RunTotals> totals;
  for (const auto& [id, run] : *snapshot.runs) {
    const core::RunStanding standing = state::StandingOf(snapshot, *run);
    RunTotals& of = totals[run->experiment];
    ++of.states[standing.state];
    if (standing.state == State::kAborted) ++of.aborts[standing.rule];
  }
  return totals;
}

void AddRemembered(FamilySet& out, const Experiment& experiment, RunTotals totals) {
  const Labels labels = {{"experiment", experiment.id.str()}};
  out.Gauge("scm_experiment_info", "1; carries the experiment's name.",
            With(labels, "name", experiment.name), 1);
  for (const State state : kTaskStates) {
    out.Gauge("scm_experiment_runs", "Runs of the experiment by state.",
              With(labels, "state", StateName(state)), totals.states[state]);
  }
  for (const char* rule : policy::kRuleWords) totals.aborts.try_emplace(rule, 0);
  for (const auto& [rule, count] : totals.aborts) {
    if (rule.empty()) continue;
    out.Counter("scm_experiment_aborts_total", "Runs of the experiment that the rule has ended.",
                With(labels, "rule", rule), count);
  }
}

void AddExperiment(FamilySet& out, const state::Snapshot& snapshot, const Experiment& experiment) {
  const Labels labels = {{"experiment", experiment.id.str()}};
  if (experiment.last_abort != absl::InfinitePast()) {
    out.Gauge("scm_experiment_last_abort_timestamp_seconds", "Unix time of the latest abort.",
              With(labels, "rule", experiment.last_abort_rule),
              UnixSeconds(snapshot.timeline->Stamp(experiment.last_abort)));
  }
  if (experiment.spec->budget) {
    out.Gauge("scm_experiment_cost", "Money accrued, in the experiment's currency.", labels,
              state::AccruedCost(snapshot, experiment.id));
    out.Gauge("scm_experiment_budget", "Limit of the budget, in the experiment's currency.", labels,
              experiment.spec->budget->limit);
  }
  if (!experiment.spec->timeline) return;
  const state::ExperimentForecast forecast = state::ForecastExperiment(snapshot, experiment.id);
  if (!forecast.due_by_p50) return;
  const absl::Time due =
      absl::FromCivil(experiment.spec->timeline->finish_by + 1, absl::UTCTimeZone());
  out.Gauge("scm_experiment_projected_slip_seconds",
            "Projected finish minus the end of finish_by; negative is early.", labels,
            absl::ToDoubleSeconds(*forecast.due_by_p50 - due));
}

void AddWorkers(FamilySet& out, const state::Snapshot& snapshot) {
  std::map<WorkerState, int> workers = {{WorkerState::kReady, 0},
                                        {WorkerState::kDraining, 0},
                                        {WorkerState::kLost, 0},
                                        {WorkerState::kQuarantined, 0}};
  for (const auto& [id, worker] : *snapshot.workers) {
    ++workers[worker->state];
    if (worker->state == WorkerState::kLost) continue;
    const state::GpuUses uses = state::UsesOfGpus(snapshot, *worker);
    for (const GpuRecord& gpu : worker->gpus) {
      const Labels labels = {{"worker", id.str()}, {"gpu", std::to_string(gpu.index)}};
      out.Gauge("scm_gpu_utilization_ratio", "Share of time in which a kernel ran, 0 to 1.", labels,
                gpu.utilization);
      out.Gauge("scm_gpu_memory_used_bytes", "GPU memory in use.", labels,
                static_cast<double>(gpu.memory_used));
      out.Gauge("scm_gpu_granted_ratio", "Share of the GPU that tasks hold, 0 to 1.", labels,
                state::GrantedPart(uses, gpu.index));
    }
  }
  for (const auto& [state, count] : workers) {
    out.Gauge("scm_workers", "Workers by state.", {{"state", WorkerStateName(state)}}, count);
  }
}

void AddTasks(FamilySet& out, const state::Snapshot& snapshot) {
  std::map<State, int> tasks;
  for (const State state : kTaskStates) tasks[state] = 0;
  for (const auto& [id, task] : *snapshot.tasks) ++tasks[task->state];
  for (const auto& [state, count] : tasks) {
    out.Gauge("scm_tasks", "Tasks by state.", {{"state", StateName(state)}}, count);
  }
}

void AddRpc(FamilySet& out, const rpc::RpcMetrics::Values& values) {
  for (const auto& [key, count] : values.handled) {
    out.Counter("grpc_server_handled_total", "Calls completed, by code.",
                {{"grpc_service", key[0]}, {"grpc_method", key[1]}, {"grpc_code", key[2]}},
                static_cast<double>(count));
  }
  for (const auto& [key, histogram] : values.handling) {
    out.Histogram("grpc_server_handling_seconds", "Time to handle a call.",
                  {{"grpc_service", key[0]}, {"grpc_method", key[1]}}, rpc::RpcMetrics::kBuckets,
                  histogram.counts, histogram.total, histogram.sum);
  }
}

}  // namespace

ExportWindow::Selection CoordinatorMetrics::Select(const state::Snapshot& snapshot) const {
  const std::lock_guard lock(mutex_);
  return window_.Select(snapshot, snapshot.at);
}

std::vector<prometheus::MetricFamily> CoordinatorMetrics::Collect() const {
  FamilySet out;
  const std::shared_ptr<const state::Snapshot> published = sources_.snapshot();
  state::Snapshot snapshot = *published;
  snapshot.at = sources_.now();  // money and time run on between commits
  std::map<RunId, int64_t> last_steps;
  for (const auto& [id, checkpoint] : *snapshot.checkpoints) {
    if (checkpoint->deleted) continue;
    int64_t& step = last_steps[checkpoint->run];
    step = std::max(step, checkpoint->step);
  }
  const ExportWindow::Selection shown = Select(snapshot);
  for (const Run* run : shown.runs) AddRun(out, snapshot, *run, last_steps);
  for (const Experiment* experiment : shown.experiments) AddExperiment(out, snapshot, *experiment);
  std::map<ExperimentId, RunTotals> totals = TotalsOf(snapshot);
  for (const Experiment* experiment : shown.remembered) {
    AddRemembered(out, *experiment, std::move(totals[experiment->id]));
  }
  out.Gauge("scm_exported_runs_dropped", "Runs left out because more than 200 would be exported.",
            {}, static_cast<double>(shown.dropped_runs));
  AddWorkers(out, snapshot);
  AddTasks(out, snapshot);
  AddRpc(out, sources_.rpc());
  return out.Take();
}

}  // namespace scm::telemetry
