#include "coordinator/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "coordinator/state/table_writer.h"
#include "coordinator/telemetry/exposition.h"
#include "tests/coordinator/telemetry/snapshots.h"

namespace scm::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Scrape(const std::shared_ptr<const state::Snapshot>& snapshot,
                   rpc::RpcMetrics::Values rpc = {}) {
  const CoordinatorMetrics metrics(
      {[snapshot] { return snapshot; }, [rpc] { return rpc; }, [] { return Noon(); }});
  return Exposition(metrics.Collect());
}

TEST(Metrics, ARunShowsItsLatestNumbersUnderTheNamesOfTheContract) {
  StateMaker state;
  const RunId id = state.AddRun(State::kRunning);
  scm::Run& run = state.MutableRun(id);
  run.step = 20;
  run.tokens_total = 10240;
  run.latest = {{"train_loss", 1.5}, {"validation_loss", 1.25}, {"validation_accuracy", 0.75},
                {"grad_norm", 0.5},  {"learning_rate", 0.125},  {"tokens", 5120}};
  state.MutableTask(id).cost = 0.25;
  const std::string text = Scrape(state.Published());
  const std::string labels = "{experiment=\"e-1\",run=\"r-1\",seed=\"11\"} ";
  for (const char* sample :
       {"scm_run_step@20", "scm_run_target_steps@60", "scm_run_train_loss@1.5",
        "scm_run_validation_loss@1.25", "scm_run_validation_accuracy_ratio@0.75",
        "scm_run_grad_norm@0.5", "scm_run_learning_rate@0.125", "scm_run_tokens_total@10240",
        "scm_run_cost_total@0.25"}) {
    std::string line = sample;
    line.replace(line.find('@'), 1, labels);
    EXPECT_THAT(text, HasSubstr(line + "\n"));
  }
}

TEST(Metrics, WhatAnExperimentCameToStaysLongAfterItsRunsAreGone) {
  StateMaker state;
  for (int i = 0; i < 3; ++i) state.AddRun(State::kSucceeded, Noon() - absl::Hours(24));
  state.AddRun(State::kAborted, Noon() - absl::Hours(24), "non_finite");
  Experiment& experiment = state.MutableExperiment(ExperimentId("e-1"));
  experiment.state = State::kSucceeded;
  experiment.ended_at = Noon() - absl::Hours(24);
  const std::string text = Scrape(state.Published());
  EXPECT_THAT(text, Not(HasSubstr("scm_run_state")));
  const std::string start = "{experiment=\"e-1\",";
  EXPECT_THAT(text, HasSubstr("scm_experiment_info" + start + "name=\"demo\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("scm_experiment_runs" + start + "state=\"SUCCEEDED\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("scm_experiment_runs" + start + "state=\"ABORTED\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("scm_experiment_aborts_total" + start + "rule=\"non_finite\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("scm_experiment_aborts_total" + start + "rule=\"stalled\"} 0\n"));
}

TEST(Metrics, ANanLossIsExportedAsNan) {
  StateMaker state;
  state.MutableRun(state.AddRun(State::kRunning)).latest = {
      {"train_loss", std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_THAT(Scrape(state.Published()),
              HasSubstr("scm_run_train_loss{experiment=\"e-1\",run=\"r-1\",seed=\"11\"} NaN\n"));
}

TEST(Metrics, WhatARunHasNotReportedHasNoSeries) {
  StateMaker state;
  state.AddRun(State::kPending);
  const std::string text = Scrape(state.Published());
  EXPECT_THAT(text, Not(HasSubstr("scm_run_train_loss")));
  EXPECT_THAT(text, Not(HasSubstr("scm_run_last_checkpoint_step")));
}

TEST(Metrics, ARunIsInExactlyOneState) {
  StateMaker state;
  state.AddRun(State::kStopping);
  const std::string text = Scrape(state.Published());
  const std::string start = "scm_run_state{experiment=\"e-1\",run=\"r-1\",seed=\"11\",state=\"";
  EXPECT_THAT(text, HasSubstr(start + "STOPPING\"} 1\n"));
  for (const char* other : {"PENDING", "ASSIGNED", "RUNNING", "PAUSED", "SUCCEEDED", "FAILED",
                            "ABORTED", "CANCELLED"}) {
    EXPECT_THAT(text, HasSubstr(start + other + "\"} 0\n"));
  }
}

TEST(Metrics, EveryRuleHasACounterAndOnlyTheOneThatAbortedIsOne) {
  StateMaker state;
  state.AddRun(State::kAborted, Noon(), "below_random");
  const std::string text = Scrape(state.Published());
  const std::string start =
      "scm_run_aborts_total{experiment=\"e-1\",run=\"r-1\",seed=\"11\",rule=\"";
  EXPECT_THAT(text, HasSubstr(start + "below_random\"} 1\n"));
  for (const char* other : {"no_convergence", "budget", "slip", "non_finite", "stalled"}) {
    EXPECT_THAT(text, HasSubstr(start + other + "\"} 0\n"));
  }
}

TEST(Metrics, ARuleOfALaterVersionIsCountedToo) {
  StateMaker state;
  state.AddRun(State::kAborted, Noon(), "drift");
  EXPECT_THAT(Scrape(state.Published()), HasSubstr("rule=\"drift\"} 1\n"));
}

TEST(Metrics, AnExperimentShowsNameMoneyAndItsLastAbort) {
  StateMaker state;
  Experiment& experiment = state.MutableExperiment(ExperimentId("e-1"));
  experiment.name = "say \"hi\"\\\n";
  ExperimentSpec spec;
  spec.budget.emplace();
  spec.budget->limit = 200;
  experiment.spec = std::make_shared<ExperimentSpec>(spec);
  experiment.last_abort = Noon();
  experiment.last_abort_rule = "non_finite";
  state.MutableTask(state.AddRun(State::kSucceeded, Noon())).cost = 1.5;
  const std::string text = Scrape(state.Published());
  EXPECT_THAT(
      text,
      HasSubstr("scm_experiment_info{experiment=\"e-1\",name=\"say \\\"hi\\\"\\\\\\n\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("scm_experiment_cost{experiment=\"e-1\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("scm_experiment_budget{experiment=\"e-1\"} 200\n"));
  EXPECT_THAT(text, HasSubstr("scm_experiment_last_abort_timestamp_seconds{experiment=\"e-1\","
                              "rule=\"non_finite\"} 1700000000\n"));
}

TEST(Metrics, TheLatestCheckpointCountsAndADeletedOneDoesNot) {
  StateMaker state;
  const RunId id = state.AddRun(State::kRunning);
  for (const int64_t step : {20, 100, 140}) {
    CheckpointRecord checkpoint;
    checkpoint.id = id.str() + "/" + std::to_string(step);
    checkpoint.run = id;
    checkpoint.step = step;
    checkpoint.committed_at = Noon() - absl::Seconds(200 - step);
    checkpoint.deleted = step == 140;
    state::TableWriter::Insert(state.cluster().checkpoints, checkpoint.id, checkpoint);
  }
  const std::string text = Scrape(state.Published());
  const std::string labels = "{experiment=\"e-1\",run=\"r-1\",seed=\"11\"} ";
  EXPECT_THAT(text, HasSubstr("scm_run_last_checkpoint_step" + labels + "100\n"));
  EXPECT_THAT(text,
              HasSubstr("scm_run_last_checkpoint_timestamp_seconds" + labels + "1699999900\n"));
}

TEST(Metrics, WorkersTasksAndGpus) {
  StateMaker state;
  state.AddRun(State::kPending);
  Worker worker;
  worker.id = WorkerId("w-1");
  worker.state = WorkerState::kReady;
  worker.gpus = {{.index = 1, .model = "H200", .utilization = 0.5, .memory_used = 4096}};
  state::TableWriter::Insert(state.cluster().workers, worker.id, worker);
  const std::string text = Scrape(state.Published());
  EXPECT_THAT(text, HasSubstr("scm_workers{state=\"READY\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("scm_workers{state=\"LOST\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("scm_tasks{state=\"PENDING\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("scm_tasks{state=\"SUCCEEDED\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("scm_gpu_utilization_ratio{worker=\"w-1\",gpu=\"1\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("scm_gpu_memory_used_bytes{worker=\"w-1\",gpu=\"1\"} 4096\n"));
}

TEST(Metrics, ServedCallsAreCountedByCodeAndTimed) {
  rpc::RpcMetrics rpc;
  rpc.Observe("scm.v1.ExperimentService", "Submit", grpc::StatusCode::OK, 0.003);
  rpc.Observe("scm.v1.ExperimentService", "Submit", grpc::StatusCode::OK, 700);
  rpc.Observe("scm.v1.ExperimentService", "Submit", grpc::StatusCode::UNAUTHENTICATED, 0.001);
  const std::string text = Scrape(StateMaker().Published(), rpc.Read());
  const std::string labels = "grpc_service=\"scm.v1.ExperimentService\",grpc_method=\"Submit\"";
  EXPECT_THAT(text, HasSubstr("grpc_server_handled_total{" + labels + ",grpc_code=\"OK\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("grpc_code=\"Unauthenticated\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("grpc_server_handling_seconds_count{" + labels + "} 3\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_server_handling_seconds_bucket{" + labels + ",le=\"0.001\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_server_handling_seconds_bucket{" + labels + ",le=\"600\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_server_handling_seconds_bucket{" + labels + ",le=\"+Inf\"} 3\n"));
}

}  // namespace
}  // namespace scm::telemetry
