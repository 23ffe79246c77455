#include "coordinator/controller/stage_outcome.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/human.h"
#include "common/text.h"

namespace scm::controller {
namespace {

const StageRecord* FindStage(const Experiment& experiment, StageKind kind) {
  for (const StageRecord& stage : experiment.stages) {
    if (stage.kind == kind) return &stage;
  }
  return nullptr;
}

// Null where a damaged search state ranks what is not there.
const Run* RunOf(const state::Cluster& cluster, const search::RankedTrial& ranked) {
  const Trial* trial = cluster.trials.Find(ranked.trial);
  return trial == nullptr ? nullptr : cluster.runs.Find(trial->run);
}

// Why the first of these trials that lacks the sweep's metric does; "" where none does.
std::string MissingMetricOf(const state::Cluster& cluster,
                            const std::vector<search::RankedTrial>& trials) {
  for (const search::RankedTrial& trial : trials) {
    const Run* run = RunOf(cluster, trial);
    if (run != nullptr && !run->metric_missing.empty()) return run->metric_missing;
  }
  return "";
}

std::string ParametersText(const Json& parameters) {
  std::vector<std::string> parts;
  for (auto it = parameters.begin(); it != parameters.end(); ++it) {
    parts.push_back(absl::StrCat(it.key(), " = ", DumpJson(it.value())));
  }
  return absl::StrJoin(parts, ", ");
}

// "failed to start", "failed", "aborted by …": what became of a task that did not succeed.
std::string EndOf(const Task& task) {
  if (task.state == State::kFailed) {
    return task.started_at == absl::InfinitePast() ? "failed to start" : "failed";
  }
  const std::string word = absl::AsciiStrToLower(StateName(task.state));
  return task.rule.empty() ? word : absl::StrCat(word, " by ", task.rule);
}

// "3 failed to start: …; 1 aborted by budget: …": tasks with one end and one reason are told once.
std::string EndsOf(const std::vector<const Task*>& tasks) {
  std::vector<std::pair<std::string, int>> groups;  // in the order of their first
  for (const Task* task : tasks) {
    const std::string end =
        absl::StrCat(EndOf(*task), task->reason.empty() ? "" : ": ", LineOf(task->reason, 300));
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == end; });
    if (known == groups.end()) {
      groups.emplace_back(end, 1);
    } else {
      ++known->second;
    }
  }
  return absl::StrJoin(groups, "; ", [](std::string* out, const auto& group) {
    absl::StrAppend(out, group.second, " ", group.first);
  });
}

std::string EndsOfTrials(const state::Cluster& cluster,
                         const std::vector<search::RankedTrial>& ranking) {
  std::vector<const Task*> tasks;
  for (const search::RankedTrial& ranked : ranking) {
    const Run* run = RunOf(cluster, ranked);
    const Task* task = run == nullptr ? nullptr : cluster.tasks.Find(run->task);
    if (task != nullptr && task->state != State::kSucceeded) tasks.push_back(task);
  }
  return EndsOf(tasks);
}

}  // namespace

std::string WhyStageIsSkipped(const state::Cluster& cluster, const ExperimentId& id,
                              StageKind kind) {
  const Experiment& experiment = *cluster.experiments.Find(id);
  if (kind == StageKind::kReport) return "";  // negative results are reported too
  for (const StageKind gate : {StageKind::kCheck, StageKind::kSweep}) {
    const StageRecord* earlier = FindStage(experiment, gate);
    if (kind != gate && earlier != nullptr && earlier->gate == "failed") {
      return absl::StrCat("the gate of ", StageName(gate), " failed");
    }
  }
  if (kind != StageKind::kEvaluate && kind != StageKind::kExport) return "";
  const ReplicateOutcome replicates = JudgeReplicates(cluster, id);
  return replicates.total > 0 && replicates.finished == 0 ? "no replicate finished" : "";
}

SweepOutcome JudgeSweep(const state::Cluster& cluster, const SweepSpec& sweep,
                        const std::vector<search::RankedTrial>& ranking) {
  SweepOutcome outcome;
  const auto survivors =
      std::count_if(ranking.begin(), ranking.end(), [](const search::RankedTrial& trial) {
        return trial.end == search::TrialEnd::kCompleted && trial.step > 0;
      });
  for (const search::RankedTrial& trial : ranking) {
    if (trial.end != search::TrialEnd::kCompleted || trial.step == 0) continue;
    if (cluster.trials.Find(trial.trial) == nullptr) continue;
    outcome.winner = trial.trial;
    outcome.reason = absl::StrCat(trial.trial.str(), " wins with ", sweep.metric, " ",
                                  HumanNumber(trial.value, 4), " at step ", trial.step, " (",
                                  ParametersText(cluster.trials.Find(trial.trial)->parameters),
                                  "); ", survivors, " of ", ranking.size(), " trials survived");
    return outcome;
  }
  // A trial that ran to its end without a value is not one that failed.
  const std::string missing = MissingMetricOf(cluster, ranking);
  const std::string why = missing.empty() ? EndsOfTrials(cluster, ranking) : missing;
  outcome.reason = absl::StrCat("none of ", ranking.size(),
                                missing.empty() ? " trials survived" : " trials can be ranked",
                                why.empty() ? "" : ": ", why);
  return outcome;
}

ReplicateOutcome JudgeReplicates(const state::Cluster& cluster, const ExperimentId& id) {
  ReplicateOutcome outcome;
  const std::vector<const Run*> runs = cluster.RunsOf(id);
  for (const Run* run : runs) outcome.fallback = outcome.fallback || run->fallback;
  std::vector<std::string> losses;
  std::vector<const Task*> lost;
  bool aborted = false;
  for (const Run* run : runs) {
    if (run->stage != StageKind::kReplicate || run->fallback != outcome.fallback) continue;
    const Task& task = *cluster.tasks.Find(run->task);
    ++outcome.total;
    if (task.state == State::kSucceeded) {
      ++outcome.finished;
      continue;
    }
    aborted = aborted || task.state == State::kAborted;
    lost.push_back(&task);
    losses.push_back(absl::StrCat("seed ", run->seed, " ", StateName(task.state),
                                  task.rule.empty() ? "" : absl::StrCat(" by ", task.rule)));
  }
  outcome.passed = 2 * outcome.finished > outcome.total;
  outcome.state = outcome.finished > 0 ? State::kSucceeded
                  : aborted            ? State::kAborted
                                       : State::kFailed;
  outcome.reason =
      absl::StrCat(outcome.finished, " of ", outcome.total, " finished", losses.empty() ? "" : ": ",
                   outcome.finished > 0 ? absl::StrJoin(losses, ", ") : EndsOf(lost));
  return outcome;
}

TasksOutcome JudgeTasks(const state::Cluster& cluster, const ExperimentId& id, StageKind stage) {
  std::vector<const Task*> tasks;
  for (const Task* task : cluster.TasksOf(id)) {
    if (task->stage == stage) tasks.push_back(task);
  }
  TasksOutcome outcome;
  for (const State bad : {State::kCancelled, State::kAborted, State::kFailed}) {
    for (const Task* task : tasks) {
      if (task->state == bad) outcome.state = bad;
    }
  }
  if (tasks.size() == 1) {
    outcome.reason = tasks.front()->reason;
    return outcome;
  }
  std::vector<std::string> losses;
  for (const Task* task : tasks) {
    if (task->state == State::kSucceeded) continue;
    losses.push_back(absl::StrCat(task->part ? task->part->name : task->id.str(), " ",
                                  StateName(task->state), ", ", task->reason));
  }
  outcome.reason =
      absl::StrCat(tasks.size() - losses.size(), " of ", tasks.size(), " tasks succeeded",
                   losses.empty() ? "" : ": ", absl::StrJoin(losses, "; "));
  return outcome;
}

std::pair<State, std::string> JudgeExperiment(const Experiment& experiment) {
  for (const State bad : {State::kFailed, State::kAborted, State::kCancelled}) {
    for (const StageRecord& stage : experiment.stages) {
      if (stage.state == bad) {
        return {bad, absl::StrCat(StageName(stage.kind), ": ", stage.reason)};
      }
    }
  }
  if (!experiment.headline.empty()) return {State::kSucceeded, experiment.headline};
  const StageRecord* replicate = FindStage(experiment, StageKind::kReplicate);
  return {State::kSucceeded, replicate != nullptr ? replicate->reason : "every stage succeeded"};
}

search::TrialEnd EndOfTrial(const Task& task) {
  switch (task.state) {
    case State::kSucceeded:
      return search::TrialEnd::kCompleted;
    case State::kAborted:
      return task.rule == "no_convergence" || task.rule == "below_random" ||
                     task.rule == "non_finite"
                 ? search::TrialEnd::kDiverged
                 : search::TrialEnd::kCensored;
    case State::kFailed: {
      const std::string kind = StringAt(task.ending, "kind");
      return kind == "bad_input" || kind == "out_of_memory" ? search::TrialEnd::kFailed
                                                            : search::TrialEnd::kCensored;
    }
    default:
      return search::TrialEnd::kCensored;
  }
}

}  // namespace scm::controller
