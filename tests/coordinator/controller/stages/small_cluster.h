// An experiment in the state's own words, without a controller: stages, runs and tasks as a test
// wants them.
#pragma once

#include <memory>
#include <string>

#include "coordinator/state/cluster.h"
#include "coordinator/state/table_writer.h"
#include "gtest/gtest.h"

namespace scm::controller {

class SmallCluster {
 public:
  SmallCluster() {
    spec.sweep.emplace();
    spec.replicate.seeds = {11, 12, 13};
    Experiment experiment;
    experiment.id = id;
    experiment.spec = std::make_shared<ExperimentSpec>(spec);
    for (const StageKind stage : kAllStages) {
      StageRecord record;
      record.kind = stage;
      experiment.stages.push_back(record);
    }
    EXPECT_TRUE(cluster.Add(std::move(experiment)).ok());
  }

  void SetGate(StageKind stage, const std::string& gate) {
    Experiment& experiment = state::TableWriter::Mutate(cluster.experiments, id);
    experiment.stages[static_cast<size_t>(stage)].gate = gate;
  }
  // How a task of a stage ended, and what more there is to it.
  struct Ended {
    State state = State::kSucceeded;
    std::string reason = "", rule = "";
    Json summary = {};
  };
  void AddTask(StageKind stage, const Ended& ended) {
    EXPECT_TRUE(cluster.Add(MakeTask(stage, ended)).ok());
  }
  // A seed of `replicate`.
  void AddSeed(int64_t seed, State state, int64_t model_index = 0) {
    AddRun(StageKind::kReplicate, {state}, TrialId(), seed, model_index);
  }
  TrialId AddTrial(const Ended& ended) {
    Trial trial;
    trial.id = cluster.NewId<TrialId>();
    trial.experiment = id;
    trial.parameters = {{"training.learning_rate", 0.001}};
    trial.run = AddRun(StageKind::kSweep, ended, trial.id, 1, 0);
    EXPECT_TRUE(cluster.Add(trial).ok());
    return trial.id;
  }

  const ExperimentId id{"e-1"};
  ExperimentSpec spec;
  state::Cluster cluster;

 private:
  Task MakeTask(StageKind stage, const Ended& ended) {
    Task task;
    task.id = cluster.NewId<TaskId>();
    task.experiment = id;
    task.stage = stage;
    task.state = ended.state;
    task.reason = ended.reason;
    task.rule = ended.rule;
    task.summary = ended.summary;
    return task;
  }
  RunId AddRun(StageKind stage, const Ended& ended, const TrialId& trial, int64_t seed,
               int64_t model_index) {
    Task task = MakeTask(stage, ended);
    Run run;
    run.id = task.run = cluster.NewId<RunId>();
    run.experiment = id;
    run.stage = stage;
    run.trial = trial;
    run.task = task.id;
    run.seed = seed;
    run.model_index = model_index;
    EXPECT_TRUE(cluster.Add(run).ok());
    EXPECT_TRUE(cluster.Add(std::move(task)).ok());
    return run.id;
  }
};

}  // namespace scm::controller
