// Snapshots made by hand for the telemetry tests.
#pragma once

#include <memory>
#include <string>

#include "coordinator/state/cluster.h"
#include "coordinator/state/table_writer.h"
#include "gtest/gtest.h"

namespace scm::telemetry {

inline absl::Time Noon() { return absl::FromUnixSeconds(1'700'000'000); }

// One experiment (e-1) to which runs are added; `Published` gives the immutable state.
class StateMaker {
 public:
  StateMaker() { AddExperiment("demo"); }

  ExperimentId AddExperiment(const std::string& name) {
    Experiment experiment;
    experiment.id = cluster_.NewId<ExperimentId>();
    experiment.name = name;
    experiment.state = State::kRunning;
    experiment.spec = std::make_shared<ExperimentSpec>();
    const ExperimentId id = experiment.id;
    state::TableWriter::Insert(cluster_.experiments, id, std::move(experiment));
    return id;
  }
  RunId AddRun(State state, absl::Time ended_at = absl::InfinitePast(), std::string rule = "") {
    Task task;
    task.id = cluster_.NewId<TaskId>();
    task.experiment = ExperimentId("e-1");
    task.order = cluster_.NextOrder();
    task.state = state;
    task.rule = std::move(rule);
    task.ended_at = ended_at;
    Run run;
    run.id = cluster_.NewId<RunId>();
    run.experiment = task.experiment;
    run.task = task.id;
    run.seed = 11;
    run.stop_at_step = 60;
    task.run = run.id;
    const RunId id = run.id;
    EXPECT_TRUE(cluster_.Add(std::move(task)).ok());
    state::TableWriter::Insert(cluster_.runs, id, std::move(run));
    return id;
  }
  Run& MutableRun(const RunId& id) { return state::TableWriter::Mutate(cluster_.runs, id); }
  Task& MutableTask(const RunId& id) {
    return state::TableWriter::Mutate(cluster_.tasks, cluster_.runs.Find(id)->task);
  }
  Experiment& MutableExperiment(const ExperimentId& id) {
    return state::TableWriter::Mutate(cluster_.experiments, id);
  }
  state::Cluster& cluster() { return cluster_; }

  std::shared_ptr<const state::Snapshot> Published(absl::Time at = Noon()) {
    return std::make_shared<const state::Snapshot>(cluster_.Publish(at));
  }

 private:
  state::Cluster cluster_;
};

}  // namespace scm::telemetry
