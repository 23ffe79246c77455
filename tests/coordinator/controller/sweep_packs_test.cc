// Trials that share a process: the search decides by the same values as without packs, and what it
// decides about one trial is that one's.
#include <gmock/gmock.h>

#include <set>

#include "absl/strings/str_join.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/snapshot_index.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// A sweep of four learning rates.
struct Sweep {
  Harness h;
  ExperimentId experiment;
  std::vector<RunId> runs;

  Sweep(const std::string& search, const std::string& packing, const std::string& more = "") {
    h.AddWorker(8);
    experiment = h.Submit(absl::StrCat(
        "name: t\nstages: [sweep, replicate]\ntrainer: {command: [python3, train.py]}\n",
        "training: {max_steps: 40, warmup_steps: 0, save_steps: 10, eval_steps: 10}\n",
        "abort: {no_convergence: none, below_random: none}\n", "sweep: {search: ", search,
        ", seed: 1, eta: 2, ", search == "asha" ? "rungs: [10, 20, 40], " : "", packing,
        "max_trials: 4, space: {training.learning_rate: {choice: [0.1, 0.2, 0.3, 0.4]}}}\n",
        "replicate: {seeds: [11]}\n", more));
    for (const auto& [id, run] : *h.snapshot()->runs) runs.push_back(id);
    for (const TaskId& task : h.Tasks(StageKind::kSweep)) h.Started(task);
  }

  const Run& RunAt(int trial) const { return *h.snapshot()->runs->at(runs[trial]); }
  TaskId TaskOf(int trial) const { return RunAt(trial).task; }
  bool IsPacked(int trial) const { return !h.TaskAt(TaskOf(trial))->pack.empty(); }
  core::RunStanding Standing(int trial) const {
    return core::StandingOf(*h.TaskAt(TaskOf(trial)), runs[trial]);
  }
  std::string States() const {
    std::vector<std::string> states;
    for (size_t i = 0; i < runs.size(); ++i) {
      states.push_back(StateName(Standing(static_cast<int>(i)).state));
    }
    return absl::StrJoin(states, " ");
  }
  void Say(int trial, Json line) {
    if (IsPacked(trial)) line["run"] = runs[trial].str();
    h.Report(TaskOf(trial), line);
  }
  void Validation(int trial, int64_t step, double loss) {
    Say(trial, {{"type", "validation"}, {"step", step}, {"metrics", {{"validation_loss", loss}}}});
  }
  void Progress(int trial, int64_t step, double loss = 1) {
    Say(trial,
        {{"type", "progress"}, {"step", step}, {"metrics", {{"train_loss", JsonNumber(loss)}}}});
  }
  void Done(int trial) {
    Say(trial, {{"type", "done"}, {"summary", Json::object()}});
    LeaveIfAlone(trial);
  }
  void Stopped(int trial) {
    Say(trial, {{"type", "stopped"}, {"step", 0}});
    LeaveIfAlone(trial);
  }
  void LeaveIfAlone(int trial) {
    if (!IsPacked(trial)) h.Exit(TaskOf(trial), 0);
  }
  void EndProcesses() {
    for (const TaskId& task : h.Tasks(StageKind::kSweep)) {
      if (h.TaskAt(task)->attempt) h.Exit(task, 0);
    }
  }
  absl::Status Upload(int trial, int64_t step) {
    const Task& at = *h.TaskAt(TaskOf(trial));
    checkpoint::Manifest manifest{
        absl::StrCat(runs[trial].str(), "/", step), at.attempts, at.epoch, step, {}};
    auto writer = h.blobs.Begin(manifest);
    (*writer)->Append("data", 0, manifest.id).IgnoreError();
    return h
        .Give(BlobInput{Harness::Ref(at), true, step, "", *(*writer)->Commit(),
                        at.attempt->ranks[0].worker, runs[trial]})
        .status();
  }
  // Runs that were told to stop since the last look, "" for a whole process.
  std::vector<std::string> Stops() {
    std::vector<std::string> stops;
    for (const auto& [link, output] : std::exchange(h.sent, {})) {
      const auto* command = std::get_if<CommandOutput>(&output);
      if (command == nullptr) continue;
      const Json json = *ParseJson(command->json, "command");
      if (StringAt(json, "cmd") == "stop") stops.push_back(StringAt(json, "run"));
    }
    return stops;
  }
  // What the search has been told and what it said, run by run.
  std::string Decisions() {
    std::string text = absl::StrCat(h.At(experiment)->search.value.dump(), "\n", States(), "\n");
    for (size_t i = 0; i < runs.size(); ++i) {
      const core::RunStanding run = Standing(static_cast<int>(i));
      if (run.stop_reason) absl::StrAppend(&text, runs[i].str(), ": ", run.reason, "\n");
    }
    const auto events = h.store.ReadEvents(experiment.str(), 0, 1000);
    for (const store::EventRow& event : *events) {
      if (event.kind == "trial_continues") {
        absl::StrAppend(&text, event.subject, " ", event.text, "\n");
      }
    }
    return text;
  }
};

// One word of one trial after the other, whoever shares a process with whom.
TEST(SweepPacks, TheSearchDecidesAsWithoutThem) {
  // In the order in which trials come to a rung, which is not that of their creation.
  const int order[] = {2, 0, 3, 1};
  const double losses[][4] = {
      {0.4, 0.3, 0.2, 0.1}, {0.1, 0.2, 0.3, 0.4}, {0.2, 0.2, 0.2, 0.2}, {0.3, 0.1, 0.4, 0.2}};
  for (const std::string search : {"asha", "random", "grid"}) {
    for (const auto& loss : losses) {
      for (const std::string packing : {"packed: true, ", "packed: true, pack_size: 3, "}) {
        Sweep packed(search, packing), alone(search, "");
        SCOPED_TRACE(absl::StrCat(search, ", ", packing, "the first trial at ", loss[0]));
        ASSERT_EQ(alone.h.Tasks(StageKind::kSweep).size(), 4u);
        ASSERT_EQ(packed.h.Tasks(StageKind::kSweep).size(), packing == "packed: true, " ? 1u : 2u);
        for (const int64_t step : {0, 10, 20, 30, 40}) {
          for (const int trial : order) {
            for (Sweep* sweep : {&packed, &alone}) {
              if (IsTerminal(sweep->Standing(trial).state)) continue;
              sweep->Validation(trial, step, step == 0 ? 3 : loss[trial]);
              if (sweep->Standing(trial).state == State::kStopping) {
                sweep->Stopped(trial);
              } else if (step == 40) {
                sweep->Done(trial);
              }
            }
            ASSERT_EQ(packed.Decisions(), alone.Decisions()) << "at step " << step;
          }
        }
        packed.EndProcesses();
        const Experiment& one = *packed.h.At(packed.experiment);
        const Experiment& other = *alone.h.At(alone.experiment);
        EXPECT_FALSE(one.winner_trial.empty());
        EXPECT_EQ(one.winner_trial, other.winner_trial);
        EXPECT_EQ(one.winner, other.winner);
        EXPECT_EQ(packed.h.Gate(packed.experiment, StageKind::kSweep),
                  alone.h.Gate(alone.experiment, StageKind::kSweep));
      }
    }
  }
}

TEST(SweepPacks, ATrialStoppedAtARungLeavesThePackAndIsPaidForNoLonger) {
  Sweep sweep("asha", "packed: true, ", "budget: {limit: 100, cpu_hour: 3.6}\n");
  sweep.h.sent.clear();
  for (int trial = 0; trial < 4; ++trial) sweep.Validation(trial, 10, 0.1 + 0.1 * trial);
  // Of the first two the better one goes on, of four two.
  EXPECT_EQ(sweep.States(), "RUNNING STOPPING STOPPING STOPPING");
  EXPECT_THAT(sweep.Stops(),
              ElementsAre(sweep.runs[1].str(), sweep.runs[2].str(), sweep.runs[3].str()));
  sweep.h.Advance(absl::Seconds(10));
  for (const int trial : {1, 2, 3}) sweep.Stopped(trial);
  EXPECT_EQ(sweep.States(), "RUNNING SUCCEEDED SUCCEEDED SUCCEEDED");
  EXPECT_EQ(sweep.Standing(1).stop_reason, StopReason::kRung);
  const auto cost = [&](int trial) {
    return state::AccruedCost(*sweep.h.snapshot(), sweep.RunAt(trial));
  };
  const double stopped = cost(1), before = cost(0);
  sweep.h.Advance(absl::Seconds(20));
  EXPECT_EQ(cost(1), stopped);
  EXPECT_NEAR(cost(0) - before, 20 * 0.001, 1e-6);
  EXPECT_NEAR(cost(0) + cost(1) + cost(2) + cost(3),
              state::AccruedCost(*sweep.h.snapshot(), sweep.experiment), 1e-9);
  sweep.Validation(0, 20, 0.1);
  sweep.Validation(0, 40, 0.1);
  sweep.Done(0);
  sweep.EndProcesses();
  EXPECT_THAT(sweep.h.Gate(sweep.experiment, StageKind::kSweep), HasSubstr("t-1 wins"));
  EXPECT_EQ(sweep.h.At(sweep.experiment)->winner_trial, sweep.RunAt(0).trial);
}

TEST(SweepPacks, AnAbortedTrialAndOneThatFailsAreRankedAsAlone) {
  Sweep sweep("grid", "packed: true, ");
  sweep.Progress(0, 5, std::numeric_limits<double>::quiet_NaN());
  sweep.Stopped(0);
  sweep.Say(1, {{"type", "failed"}, {"kind", "out_of_memory"}, {"message", "as the test wants"}});
  EXPECT_EQ(sweep.States(), "ABORTED FAILED RUNNING RUNNING");
  EXPECT_EQ(sweep.h.snapshot()->certificates->begin()->second->run, sweep.runs[0]);
  for (const int trial : {2, 3}) {
    sweep.Validation(trial, 40, 0.5 - 0.1 * trial);
    sweep.Done(trial);
  }
  sweep.EndProcesses();
  EXPECT_EQ(sweep.h.At(sweep.experiment)->winner_trial, sweep.RunAt(3).trial);
}

TEST(SweepPacks, APackThatDiesResumesEachTrialFromItsOwnCheckpoint) {
  Sweep sweep("asha", "packed: true, ");
  for (const int trial : {0, 1}) sweep.Validation(trial, 10, 0.2 + 0.1 * trial);
  sweep.Stopped(1);
  EXPECT_TRUE(sweep.Upload(0, 10).ok());
  const TaskId task = sweep.TaskOf(0);
  const std::string decided = sweep.h.At(sweep.experiment)->search.value.dump();
  sweep.h.sent.clear();
  sweep.h.Exit(task, 137);
  EXPECT_EQ(sweep.States(), "PENDING SUCCEEDED PENDING PENDING");
  sweep.h.Advance(absl::Seconds(10));
  Json spec;
  for (const auto& [link, output] : sweep.h.sent) {
    const auto* grant = std::get_if<GrantOutput>(&output);
    if (grant != nullptr) spec = *ParseJson(grant->spec_json, "spec");
  }
  const Json runs = MemberAt(spec, "runs");
  ASSERT_THAT(runs, SizeIs(3));
  EXPECT_EQ(IntegerAt(MemberAt(runs[0], "resume_from"), "step", 0), 10);
  EXPECT_TRUE(MemberAt(runs[1], "resume_from").is_null());
  EXPECT_EQ(StringAt(runs[1], "id"), sweep.runs[2].str());
  // Each with its own parameters; where they end is the same for all.
  for (size_t i = 0; i < runs.size(); ++i) {
    const int trial = i == 0 ? 0 : static_cast<int>(i) + 1;
    EXPECT_EQ(runs[i]["parameters"]["training"]["learning_rate"],
              sweep.RunAt(trial).parameters["training.learning_rate"]);
    EXPECT_EQ(StringAt(runs[i], "trial"), sweep.RunAt(trial).trial.str());
  }
  EXPECT_EQ(IntegerAt(spec, "stop_at_step", 0), 40);
  // What the search knows already it is not told again.
  sweep.h.Started(task);
  sweep.Validation(0, 10, 0.2);
  EXPECT_EQ(sweep.h.At(sweep.experiment)->search.value.dump(), decided);
}

TEST(SweepPacks, TrialsOfAnotherPrecisionAreInAnotherProcess) {
  Harness h;
  h.AddWorker(8);
  const ExperimentId e = h.Submit(absl::StrCat(
      "name: t\nstages: [sweep]\ntrainer: {command: [python3, train.py]}\n",
      "sweep: {search: grid, seed: 1, packed: true, space: {training.learning_rate: {choice: [0.1, "
      "0.2]}, training.precision: {choice: [bf16, fp32]}}}\n"));
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kSweep);
  ASSERT_THAT(tasks, SizeIs(2));
  std::set<std::string> seen;
  for (const TaskId& task : tasks) {
    ASSERT_THAT(h.TaskAt(task)->pack, SizeIs(2));
    std::set<std::string> precisions;
    for (const PackedRun& packed : h.TaskAt(task)->pack) {
      const Json& parameters = h.snapshot()->runs->at(packed.run)->parameters;
      precisions.insert(StringAt(parameters, "training.precision"));
    }
    EXPECT_THAT(precisions, SizeIs(1));
    seen.insert(precisions.begin(), precisions.end());
  }
  EXPECT_THAT(seen, SizeIs(2));
  // Trials are numbered in the order of the grid, as without packs.
  std::vector<std::string> created;
  for (const auto& [id, trial] : *h.snapshot()->trials) {
    created.push_back(absl::StrCat(trial->parameters["training.learning_rate"].dump(), " ",
                                   StringAt(trial->parameters, "training.precision")));
  }
  EXPECT_THAT(created, ElementsAre("0.1 bf16", "0.1 fp32", "0.2 bf16", "0.2 fp32"));
  EXPECT_EQ(h.StateOf(e), "RUNNING");
}

}  // namespace
}  // namespace scm::controller
