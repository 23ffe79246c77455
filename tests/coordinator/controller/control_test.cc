// Pause, resume, cancel and abort against everything that may cross them.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"
#include "tests/coordinator/controller/sim_invariants.h"

namespace scm::controller {
namespace {

using testing::HasSubstr;

TEST(Control, APauseDoesNotUndoACancel) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  EXPECT_TRUE(h.Control(ControlVerb::kCancel, e.str()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(h.Control(ControlVerb::kPause, e.str()).status()));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Stopped(task);
  EXPECT_EQ(h.StateOf(e), "CANCELLED");
}

// Of a run that goes on: it resumes from the last one, and the best one is what is evaluated.
TEST(Control, ACollectionKeepsTheBestAndTheLastCheckpoint) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  const std::string run = h.RunOf(task)->id.str();
  h.Started(task);
  h.Validation(task, 0, 3);
  const double losses[] = {2.0, 1.5, 1.8};
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t step = 10 * (i + 1);
    h.Progress(task, step);
    h.Validation(task, step, losses[i]);
    ASSERT_TRUE(h.Upload(task, step).ok());
  }
  const absl::StatusOr<Reply> reply = h.Control(ControlVerb::kCheckpointGc, e.str());
  ASSERT_TRUE(reply.ok()) << reply.status();
  std::vector<std::string> kept, removed;
  for (const auto& one : std::get<CheckpointsCollected>(*reply).plan.decisions) {
    (one.keep ? kept : removed).push_back(one.id);
  }
  EXPECT_THAT(kept, testing::ElementsAre(run + "/20", run + "/30"));
  EXPECT_THAT(removed, testing::ElementsAre(run + "/10"));
}

TEST(Control, TheFirstFinalStopHolds) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate", "budget: {limit: 0.1, cpu_hour: 1.0}\n"));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Started(task);
  h.Advance(absl::Minutes(3));
  EXPECT_EQ(h.StateOf(e), "STOPPING");
  EXPECT_TRUE(h.Control(ControlVerb::kCancel, e.str()).ok());
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Stopped(task);
  EXPECT_EQ(h.StateOf(e), "ABORTED");
  EXPECT_EQ(h.At(e)->stop_rule, "budget");
}

TEST(Control, ACancelOverridesAPauseUnderWay) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  EXPECT_TRUE(h.Control(ControlVerb::kPause, e.str()).ok());
  EXPECT_THAT(std::string(h.Control(ControlVerb::kResume, e.str()).status().message()),
              HasSubstr("still being paused"));
  EXPECT_TRUE(h.Control(ControlVerb::kCancel, e.str()).ok());
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Stopped(task);
  EXPECT_EQ(h.StateOf(e), "CANCELLED");
}

TEST(Control, ACancelOfAPausedExperimentEndsItAtOnce) {
  Harness h;
  const ExperimentId e = h.Submit(TestFile("replicate"));
  EXPECT_TRUE(h.Control(ControlVerb::kPause, e.str()).ok());
  EXPECT_EQ(h.StateOf(e), "PAUSED");
  EXPECT_TRUE(h.Control(ControlVerb::kCancel, e.str()).ok());
  EXPECT_EQ(h.StateOf(e), "CANCELLED");
  EXPECT_TRUE(absl::IsFailedPrecondition(h.Control(ControlVerb::kCancel, e.str()).status()));
}

// A drain asked the trainer to stop first; the pause that came then must not leave a task to start.
TEST(Control, APauseDuringADrainLeavesNothingToStart) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  const std::vector<TaskId> runs = h.Tasks(StageKind::kReplicate);
  for (const TaskId& task : runs) h.Started(task);
  EXPECT_TRUE(h.Control(ControlVerb::kDrain, w.str()).ok());
  EXPECT_TRUE(h.Control(ControlVerb::kPause, e.str()).ok());
  for (const TaskId& task : runs) h.Stopped(task);
  EXPECT_EQ(h.StateOf(e), "PAUSED");
  h.AddWorker(4);
  EXPECT_TRUE(h.Control(ControlVerb::kUndrain, w.str()).ok());
  h.Advance(absl::Seconds(10));
  for (const TaskId& task : runs) EXPECT_EQ(h.StateOf(task), "PAUSED");
  EXPECT_TRUE(h.Control(ControlVerb::kResume, e.str()).ok());
  for (const TaskId& task : runs) EXPECT_EQ(h.StateOf(task), "ASSIGNED");
}

TEST(Control, APauseWhileTheStageEndsGoesOnAfterwards) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate, evaluate"));
  const std::vector<TaskId> runs = h.Tasks(StageKind::kReplicate);
  h.Train(runs.at(0), 1);
  h.Train(runs.at(1), 1);
  h.Started(runs.at(2));
  EXPECT_TRUE(h.Control(ControlVerb::kPause, e.str()).ok());
  h.Train(runs.at(2), 1);  // its `done` crosses the stop
  EXPECT_EQ(h.StateOf(runs.at(2)), "SUCCEEDED");
  EXPECT_EQ(h.StateOf(e), "PAUSED");
  EXPECT_EQ(h.Tasks(StageKind::kEvaluate).size(), 0u);
  EXPECT_TRUE(h.Control(ControlVerb::kResume, e.str()).ok());
  EXPECT_EQ(h.Tasks(StageKind::kEvaluate).size(), 4u);
}

TEST(Control, ACancelWhileEvaluateRuns) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate, evaluate, report"));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Train(task, 1);
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kEvaluate);
  for (const TaskId& task : tasks) h.Started(task);
  EXPECT_TRUE(h.Control(ControlVerb::kCancel, e.str()).ok());
  for (const TaskId& task : tasks) h.Stopped(task);
  EXPECT_EQ(h.StateOf(e), "CANCELLED");
  EXPECT_THAT(h.Gate(e, StageKind::kReplicate), HasSubstr("SUCCEEDED passed"));
  EXPECT_THAT(h.Gate(e, StageKind::kReport), HasSubstr("SKIPPED not_judged"));
}

// An abort that was decided, and a `done` that was on its way.
TEST(Control, ARunThatFinishedBeforeItsAbortCarriesNoRule) {
  Harness h;
  h.AddWorker(4);
  h.Submit(TestFile("replicate", "budget: {limit: 100, cpu_hour: 1.0}\n"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  h.Advance(absl::Seconds(10));
  h.Progress(task, 3, std::nan(""));
  EXPECT_EQ(h.StateOf(task), "STOPPING");
  ASSERT_EQ(h.snapshot()->certificates->size(), 1u);
  EXPECT_GT(h.snapshot()->certificates->begin()->second->body["saved"]["money"].get<double>(), 0);
  h.Finish(task);
  EXPECT_EQ(h.StateOf(task), "SUCCEEDED");
  EXPECT_EQ(h.TaskAt(task)->rule, "");
  const Json& body = h.snapshot()->certificates->begin()->second->body;
  EXPECT_EQ(body["overtaken"], true);
  EXPECT_EQ(body["saved"]["money"], 0);
  const Json why = answers::ToJson(*views::WhyView(*h.snapshot(), h.TaskAt(task)->run.str()));
  EXPECT_EQ(why["reasons"][0]["verdict"], "SUCCEEDED");
}

// Each stage, each kind of stop under way: what is committed is all that counts.
TEST(Control, ARestartInAnyStageGoesOnWhereItWas) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("check, sweep, replicate, evaluate, export, report"));
  const auto restart = [&] {
    const std::string before = simulation::Dump(*h.snapshot());
    h.Restart();
    EXPECT_EQ(before, simulation::Dump(*h.snapshot()));
    std::vector<LeaseRef> live;
    for (const auto& [id, task] : *h.snapshot()->tasks) {
      if (task->attempt) live.push_back(Harness::Ref(*task));
    }
    h.Return(w, live);
  };
  for (const StageKind stage : {StageKind::kCheck, StageKind::kSweep, StageKind::kReplicate}) {
    restart();
    for (const TaskId& task : h.Tasks(stage)) {
      h.Started(task);
      h.Progress(task, 1);
      restart();
      h.Train(task, 1);
    }
  }
  restart();
  for (const StageKind stage : {StageKind::kEvaluate, StageKind::kExport, StageKind::kReport}) {
    for (const TaskId& task : h.Tasks(stage)) {
      restart();
      h.Started(task);
      restart();
      h.Finish(task, {{"decision", "go"}, {"headline", "Good."}});
    }
  }
  EXPECT_EQ(h.StateOf(e), "SUCCEEDED");
  for (const auto& [id, task] : *h.snapshot()->tasks) EXPECT_EQ(task->attempts, 1) << id;
}

TEST(Control, AStopIsSaidAgainAfterARestart) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  const std::vector<TaskId> runs = h.Tasks(StageKind::kReplicate);
  for (const TaskId& task : runs) h.Started(task);
  EXPECT_TRUE(h.Control(ControlVerb::kPause, e.str()).ok());
  h.Restart();
  h.sent.clear();
  std::vector<LeaseRef> live;
  for (const TaskId& task : runs) live.push_back(Harness::Ref(*h.TaskAt(task)));
  h.Return(w, live);
  size_t stops = 0;
  for (const auto& [link, output] : h.sent) stops += std::holds_alternative<CommandOutput>(output);
  EXPECT_EQ(stops, 3u);
  for (const TaskId& task : runs) h.Stopped(task);
  EXPECT_EQ(h.StateOf(e), "PAUSED");
  h.Restart();
  EXPECT_EQ(h.StateOf(e), "PAUSED");
  EXPECT_TRUE(h.Control(ControlVerb::kResume, e.str()).ok());
  EXPECT_EQ(h.StateOf(runs.at(0)), "PENDING");
}

// What is handled while a refused batch waits is not lost with it.
TEST(Control, AFullDiskLosesNothing) {
  Harness h;
  h.AddWorker(4);
  h.faulty.FillDiskAt(h.faulty.calls() + 1);
  bool first = false, second = false;
  h.controller->Handle(SubmitInput{"a", TestFile("replicate"), ""}, h.Clocks(),
                       [&](const absl::StatusOr<Reply>& reply) { first = reply.ok(); });
  EXPECT_TRUE(absl::IsResourceExhausted(h.controller->Flush(h.Clocks())));
  EXPECT_TRUE(h.snapshot()->store_full);
  h.controller->Handle(SubmitInput{"b", TestFile("replicate"), ""}, h.Clocks(),
                       [&](const absl::StatusOr<Reply>& reply) { second = reply.ok(); });
  EXPECT_TRUE(absl::IsResourceExhausted(h.controller->Flush(h.Clocks())));
  EXPECT_FALSE(first || second);
  h.faulty.Recover();
  h.Round();
  EXPECT_TRUE(first && second);
  const std::string before = simulation::Dump(*h.snapshot());
  h.Restart();
  EXPECT_EQ(before, simulation::Dump(*h.snapshot()));
  EXPECT_EQ(h.snapshot()->experiments->size(), 2u);
}

TEST(Control, ACheckpointThatIsAskedForReachesEveryRankAndStopsNothing) {
  Harness h;
  const WorkerId worker = h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate", "resources: {ranks: 2}\n"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  const std::string run = h.TaskAt(task)->run.str();
  const auto ask = [&h](const std::string& id) {
    return h.Control(ControlVerb::kCheckpointSave, id);
  };
  EXPECT_TRUE(absl::IsNotFound(ask(e.str()).status()));
  EXPECT_TRUE(absl::IsNotFound(ask("r-99").status()));
  EXPECT_THAT(std::string(ask(run).status().message()), HasSubstr("it is ASSIGNED"));
  h.Started(task);
  h.sent.clear();
  const absl::StatusOr<Reply> answer = ask(run);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(std::get<CheckpointAsked>(*answer).workers, testing::ElementsAre(worker, worker));
  std::vector<int64_t> told;
  for (const auto& [link, output] : h.sent) {
    const auto* command = std::get_if<CommandOutput>(&output);
    if (command == nullptr) continue;
    told.push_back(command->lease.rank);
    EXPECT_EQ(command->json, R"({"cmd":"checkpoint"})");
  }
  EXPECT_THAT(told, testing::ElementsAre(0, 1));
  EXPECT_EQ(h.StateOf(task), "RUNNING");
}

TEST(Control, ARepeatedRequestIsOneExperiment) {
  Harness h;
  const SubmitInput submit{"request", TestFile("replicate"), ""};
  const absl::StatusOr<Reply> first = h.Give(submit);
  h.Restart();
  EXPECT_EQ(std::get<std::string>(*h.Give(submit)), std::get<std::string>(*first));
  EXPECT_EQ(h.snapshot()->experiments->size(), 1u);
}

}  // namespace
}  // namespace scm::controller
