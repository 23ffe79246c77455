// Records with every member set, one by one and without their descriptions.
#pragma once

#include <limits>

#include "coordinator/core/model.h"
#include "experiment/parse.h"

namespace scm::state {

inline absl::Time At(int64_t seconds, int64_t nanoseconds = 0) {
  return absl::FromUnixSeconds(1700000000 + seconds) + absl::Nanoseconds(nanoseconds);
}

inline std::shared_ptr<const ExperimentSpec> NamedSpec() {
  const ParsedExperiment parsed = ParseExperiment(
      "name: named\n"
      "stages: [sweep, replicate]\n"
      "model: {base: /m.gguf}\n"
      "data: {corpus: /c}\n"
      "sweep: {search: grid, seed: 1, space: {training.learning_rate: {choice: [1.0e-3]}}}\n"
      "replicate: {seeds: [11, 12, 13]}\n"
      "evaluation: {tasks: [a]}\n",
      {.base_directory = "/", .check_paths = false});
  return std::make_shared<ExperimentSpec>(parsed.spec.value());
}

inline Experiment FullExperiment() {
  Experiment e;
  e.id = ExperimentId("e-1");
  e.name = "ein Versuch „ü“\n";
  e.state = State::kStopping;
  e.reason = "why \"so\"";
  e.decision = "no_go";
  e.headline = "Two sentences. Here.";
  e.submitted_at = At(1, 123456789);
  e.ended_at = At(2);
  e.source = "name: x\n";
  e.warnings = {"first", "second"};
  e.spec = NamedSpec();
  e.stages = {{StageKind::kSweep, State::kSucceeded, "passed", "of the sweep", At(3), At(4, 5)},
              {StageKind::kEvaluate, State::kPending, "", "", At(5), absl::InfinitePast()}};
  e.search.value = {{"position", 7}, {"rungs", {1, 2}}};
  e.stopping = StopReason::kAbort;
  e.stop_rule = "budget";
  e.stop_text = "too much";
  e.winner = {{"training.learning_rate", 0.001}};
  e.winner_trial = TrialId("t-3");
  e.budget_warned = true;
  e.slip_warned = true;
  e.last_abort_rule = "stalled";
  e.last_abort = At(6);
  return e;
}

inline Trial FullTrial() {
  return {TrialId("t-3"), ExperimentId("e-1"), {{"lora.rank", 8}}, RunId("r-2"), true};
}

inline Run FullRun() {
  Run r;
  r.id = RunId("r-2");
  r.experiment = ExperimentId("e-1");
  r.stage = StageKind::kSweep;
  r.trial = TrialId("t-3");
  r.task = TaskId("k-4");
  r.seed = 11;
  r.parameters = {{"lora.rank", 8}, {"lora.dropout", 0.1}};
  r.max_steps = 400;
  r.stop_at_step = 100;
  r.step = 50;
  r.latest = {{"train_loss", 0.25}, {"odd", std::numeric_limits<double>::quiet_NaN()}};
  r.tokens_total = 123456.5;
  r.metric_names = {"grad_norm", "odd", "train_loss"};
  r.names_refused = true;
  r.metric_missing = "not in it";
  r.warnings = {{"loss_spike", "no_convergence", 30, "it rose"}, {"other", "rule", 31, ""}};
  r.searched_step = 25;
  r.resumes = {{2, 20}, {3, 40}};
  r.best_step = 40;
  r.model_index = 1;
  return r;
}

inline std::vector<ValidationRecord> FullValidations() {
  return {{10, 1, 0.5, 0.75, 15, 20, 0.25, 1.5, 0.125},
          {20, 2, std::numeric_limits<double>::infinity(), {}, {}, {}, {}, {}, {}}};
}

inline Task FullTask() {
  Task t;
  t.id = TaskId("k-4");
  t.experiment = ExperimentId("e-1");
  t.stage = StageKind::kSweep;
  t.kind = TaskKind::kEvaluate;
  t.run = RunId("r-2");
  t.order = 9;
  t.part = core::EvaluationPart{"seed 11", true, RunId("r-2"), {"one", "two"}, true};
  t.state = State::kRunning;
  t.stop_reason = StopReason::kDrain;
  t.rule = "slip";
  t.censored = true;
  t.reason = "because";
  t.attempts = 3;
  t.retries_spent = 1;
  t.epoch = 12;
  t.attempt = Attempt{12, At(7), absl::Milliseconds(1500)};
  t.attempt->ranks.push_back({LeaseId("l-8"), WorkerId("w-1"), {0, 3}});
  t.attempt->ranks.push_back({LeaseId("l-9"), WorkerId("w-2"), {1}, true, 70, {{"type", "done"}}});
  t.not_before = At(8);
  t.avoid = {WorkerId("w-9"), WorkerId("w-10")};
  t.progressed = true;
  t.created_at = At(9);
  t.started_at = At(10);
  t.ended_at = At(11);
  t.seconds = 12.5;
  t.cost = 0.1;
  t.report_offset = 4096;
  t.last_report = At(12);
  t.ending = {{"type", "failed"}, {"message", "out of memory"}};
  t.summary = {{"best", {{"step", 40}}}};
  t.progress = 5;
  t.progress_total = 6;
  return t;
}

inline Worker FullWorker() {
  Worker w;
  w.id = WorkerId("w-1");
  w.instance = "abc";
  w.key_digest = "def";
  w.host = "host";
  w.version = "0.2.0";
  w.state = WorkerState::kLost;
  w.standing = WorkerState::kQuarantined;
  w.cpus = 16;
  w.gpus = {{1, "H200", 150000000000, 0.5, 70, "NVIDIA H200"}, {2, "A100", 80000000000, 0, 0, ""}};
  w.lost_gpus = {{3, "L4", 24000000000, 0, 0, "NVIDIA L4"}};
  w.trainers = {"scm-trainer", "scm-evaluator"};
  w.last_seen = At(13);
  w.strikes = 2;
  return w;
}

inline CheckpointRecord FullCheckpoint() {
  return {"r-2/40", RunId("r-2"),          3,    40,     "aa",  "checkpoints/r-2/40",
          1024,     {{{"path", "a.bin"}}}, true, At(14), "gone"};
}

inline ArtifactRecord FullArtifact() {
  return {
      "k-4/report", TaskId("k-4"),       ExperimentId("e-1"), "report", "bb", "artifacts/k-4", 3,
      2048,         {{{"path", "b.md"}}}};
}

inline CertificateRecord FullCertificate() {
  return {CertificateId("c-5"), ExperimentId("e-1"), RunId("r-2"), {{"rule", "stalled"}}};
}

}  // namespace scm::state
