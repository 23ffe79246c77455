// A controller with everything around it in memory, driven input by input: workers say what a test
// lets them say. Times are virtual.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "coordinator/controller/controller.h"
#include "coordinator/core/priority_scheduler.h"
#include "coordinator/store/memory_store.h"
#include "coordinator/views/views.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/memory_blobs.h"

namespace scm::controller {

class Harness : public WorkerLinks {
 public:
  Harness() { Restart(); }

  // ---- users
  ExperimentId Submit(const std::string& file) {
    const absl::StatusOr<Reply> reply = Give(SubmitInput{"", file, file});
    EXPECT_TRUE(reply.ok()) << reply.status();
    return ExperimentId(std::get<std::string>(reply.value_or("")));
  }
  absl::StatusOr<Reply> Control(ControlVerb verb, const std::string& id) {
    return Give(ControlInput{verb, id, false});
  }

  // ---- workers
  WorkerId AddWorker(int64_t cpus, int64_t gpus = 0, const std::string& model = "H200") {
    RegisterInput hello;
    hello.instance = absl::StrCat("instance-", ++instances_);
    hello.host = "host";
    hello.cpus = cpus;
    for (int i = 0; i < gpus; ++i) hello.gpus.push_back({i, model, 0, 0, 0});
    return Register(std::move(hello));
  }
  WorkerId Register(RegisterInput hello) {
    hello.link = ++links_;
    hellos_[hello.link] = hello;
    EXPECT_TRUE(Give(hello).ok());
    for (const auto& [id, worker] : *snapshot()->workers) {
      if (worker->instance == hello.instance) link_of_[id] = hello.link;
    }
    for (const auto& [id, link] : link_of_) {
      if (link == hello.link) return id;
    }
    return WorkerId();
  }
  // Registers again with these leases alive.
  void Return(const WorkerId& id, std::vector<LeaseRef> live) {
    RegisterInput hello = hellos_.at(link_of_.at(id));
    hello.live = std::move(live);
    Register(hello);
  }
  void Silence(const WorkerId& id) { silent_.insert(id); }
  void Renew(const WorkerId& id) {
    silent_.erase(id);
    std::vector<LeaseRef> live;
    for (const auto& [task_id, task] : *snapshot()->tasks) {
      const size_t ranks = task->attempt ? task->attempt->ranks.size() : 0;
      for (size_t rank = 0; rank < ranks; ++rank) {
        const Lease& lease = task->attempt->ranks[rank];
        if (lease.worker == id && !lease.ended) live.push_back(Ref(*task, rank));
      }
    }
    Give(RenewInput{id, live, {}}).IgnoreError();
  }
  static LeaseRef Ref(const Task& task, size_t rank = 0) {
    return {task.attempt->ranks[rank].id, task.id, task.attempts, task.attempt->epoch,
            static_cast<int64_t>(rank)};
  }

  // ---- trainers
  void Report(const TaskId& id, const Json& report, size_t rank = 0) {
    const Task& task = *TaskAt(id);
    const Lease& lease = task.attempt->ranks[rank];
    Give(ReportsInput{lease.worker, Ref(task, rank),
                      rank == 0 ? task.report_offset : lease.report_offset,
                      core::ReadReportLines(report.dump() + "\n")})
        .IgnoreError();
  }
  void Progress(const TaskId& id, int64_t step, double loss = 1) {
    Report(id,
           {{"type", "progress"}, {"step", step}, {"metrics", {{"train_loss", JsonNumber(loss)}}}});
  }
  void Validation(const TaskId& id, int64_t step, double loss) {
    Report(id, {{"type", "validation"},
                {"step", step},
                {"metrics", {{"validation_loss", JsonNumber(loss)}}}});
  }
  void Started(const TaskId& id) { Say(id, ProcessInput::Kind::kStarted, 0); }
  void Exit(const TaskId& id, int code, size_t rank = 0) {
    Say(id, ProcessInput::Kind::kExited, code, true, rank);
  }
  void Say(const TaskId& id, ProcessInput::Kind kind, int code, bool retryable = true,
           size_t rank = 0) {
    const Task& task = *TaskAt(id);
    Give(ProcessInput{task.attempt->ranks[rank].worker, Ref(task, rank), kind, code, "", retryable})
        .IgnoreError();
  }
  absl::Status Upload(const TaskId& id, int64_t step) {
    const Task& task = *TaskAt(id);
    checkpoint::Manifest manifest{
        absl::StrCat(task.run.str(), "/", step), task.attempts, task.epoch, step, {}};
    auto writer = blobs.Begin(manifest);
    (*writer)->Append("data", 0, manifest.id).IgnoreError();
    return Give(BlobInput{Ref(task), true, step, "", *(*writer)->Commit(),
                          task.attempt->ranks[0].worker})
        .status();
  }
  // Trains a run to its end with this final validation loss.
  void Train(const TaskId& id, double loss) {
    const Run& run = *RunOf(id);
    const int64_t end = run.stop_at_step;
    Started(id);
    Validation(id, 0, 3);
    Progress(id, end);
    Validation(id, end, loss);
    EXPECT_TRUE(Upload(id, end).ok());
    Finish(id);
  }
  void Finish(const TaskId& id, Json summary = Json::object(), size_t rank = 0) {
    Report(id, {{"type", "done"}, {"summary", summary}}, rank);
    Exit(id, 0, rank);
  }
  void Fail(const TaskId& id, const std::string& kind) {
    Report(id, {{"type", "failed"}, {"kind", kind}, {"message", "as the test wants it"}});
    Exit(id, 1);
  }
  void Stopped(const TaskId& id, size_t rank = 0) {
    Report(id, {{"type", "stopped"}, {"step", 0}}, rank);
    Exit(id, 0, rank);
  }

  // ---- time
  void Advance(absl::Duration duration) {
    for (const absl::Time end = now + duration; now < end;) {
      now += std::min(absl::Duration(absl::Seconds(1)), end - now);
      if ((now - absl::UnixEpoch()) % absl::Seconds(5) == absl::ZeroDuration()) {
        for (const auto& [id, link] : link_of_) {
          if (!silent_.contains(id)) Renew(id);
        }
      }
      Round();
    }
  }
  void Round() {
    controller->Tick(Clocks());
    EXPECT_TRUE(controller->Flush(Clocks()).ok());
  }
  absl::StatusOr<Reply> Give(const Input& input) {
    absl::StatusOr<Reply> answer = absl::InternalError("no answer");
    controller->Handle(input, Clocks(),
                       [&](absl::StatusOr<Reply> reply) { answer = std::move(reply); });
    Round();
    return answer;
  }
  // A new coordinator on what the old one had committed.
  void Restart() {
    controller.reset();
    ControllerOptions options;
    options.stop_grace = absl::Seconds(30);
    controller = std::make_unique<Controller>(
        options, ControllerDependencies{&faulty, &blobs, &scheduler_, this});
    EXPECT_TRUE(controller->Recover(Clocks(), boot).ok());
  }
  // What the machine's clocks say. The steady one follows `now`.
  state::ClockReading Clocks() const { return {now + wall_ahead, now - booted}; }

  // ---- what is
  std::shared_ptr<const state::Snapshot> snapshot() const { return controller->snapshot(); }
  const Experiment* At(const ExperimentId& id) const {
    kept_.push_back(snapshot());
    return kept_.back()->experiments->at(id).get();
  }
  const Task* TaskAt(const TaskId& id) const {
    kept_.push_back(snapshot());
    return kept_.back()->tasks->at(id).get();
  }
  const Run* RunOf(const TaskId& id) const {
    kept_.push_back(snapshot());
    return kept_.back()->runs->at(kept_.back()->tasks->at(id)->run).get();
  }
  const Worker* WorkerAt(const WorkerId& id) const {
    kept_.push_back(snapshot());
    return kept_.back()->workers->at(id).get();
  }
  std::string StateOf(const TaskId& id) const { return StateName(TaskAt(id)->state); }
  std::string StateOf(const ExperimentId& id) const { return StateName(At(id)->state); }
  std::string StateOf(const WorkerId& id) const { return WorkerStateName(WorkerAt(id)->state); }
  // Tasks of a stage in order.
  std::vector<TaskId> Tasks(StageKind stage) const {
    std::vector<TaskId> found;
    for (const auto& [id, task] : *snapshot()->tasks) {
      if (task->stage == stage) found.push_back(id);
    }
    return found;
  }
  std::string Waiting(const TaskId& id) const {
    const auto found = snapshot()->waiting_reasons->find(id);
    return found == snapshot()->waiting_reasons->end() ? "" : found->second;
  }
  int CountEvents(const std::string& kind) {
    const auto rows = store.ReadEvents("", 0, 100000);
    return static_cast<int>(std::count_if(
        rows->begin(), rows->end(), [&](const store::EventRow& row) { return row.kind == kind; }));
  }
  // The latest of this kind; an empty one if there is none.
  store::EventRow LastEvent(const std::string& kind) {
    store::EventRow found;
    const auto rows = store.ReadEvents("", 0, 100000);
    for (const store::EventRow& row : *rows) {
      if (row.kind == kind) found = row;
    }
    return found;
  }
  std::string Gate(const ExperimentId& id, StageKind kind) const {
    for (const StageRecord& stage : At(id)->stages) {
      if (stage.kind == kind)
        return absl::StrCat(StateName(stage.state), " ", stage.gate, ": ", stage.reason);
    }
    return "";
  }

  void Send(int64_t link, const Output& output) override { sent.emplace_back(link, output); }

  absl::Time now = absl::FromUnixSeconds(1'790'000'000);
  absl::Duration wall_ahead = absl::ZeroDuration();  // by which somebody set the wall clock
  absl::Time booted = absl::FromUnixSeconds(1'789'000'000);
  std::string boot = "boot 1";
  store::MemoryStore store;
  fake::FaultyStore faulty{&store};
  fake::MemoryBlobs blobs;
  std::unique_ptr<Controller> controller;
  std::vector<std::pair<int64_t, Output>> sent;

 private:
  core::PriorityScheduler scheduler_;
  int64_t links_ = 0, instances_ = 0;
  std::map<int64_t, RegisterInput> hellos_;
  std::map<WorkerId, int64_t> link_of_;
  std::set<WorkerId> silent_;
  mutable std::vector<std::shared_ptr<const state::Snapshot>> kept_;
};

// An experiment file for a trainer of one's own; `more` adds keys.
inline std::string TestFile(const std::string& stages, const std::string& more = "") {
  return absl::StrCat(
      "name: t\nstages: [", stages, "]\n",
      "model: {base: /m.gguf, fallback: /larger.gguf}\ndata: {corpus: /c}\n",
      "trainer: {command: [python3, train.py]}\n",
      "training: {max_steps: 40, warmup_steps: 0, save_steps: 10, eval_steps: 10}\n",
      "check: {steps: 10}\n",
      "sweep: {search: grid, seed: 1, space: {training.learning_rate: {choice: [1.0e-3, "
      "1.0e-2]}}}\n",
      "replicate: {seeds: [11, 12, 13]}\nevaluation: {tasks: [a]}\nexport: {}\n", more);
}

}  // namespace scm::controller
