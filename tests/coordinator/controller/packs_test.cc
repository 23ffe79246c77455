// A task may carry several runs: what is said of one, asked of one and paid for one is that one's.
#include "coordinator/controller/packs.h"

#include <gmock/gmock.h>

#include "coordinator/state/accrual.h"
#include "coordinator/state/snapshot_index.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Seeds 11, 12 and 13 in one process.
struct Packed {
  Harness h;
  WorkerId worker;
  ExperimentId experiment;
  TaskId task;
  std::vector<RunId> runs;

  explicit Packed(const std::string& more = "", bool started = true,
                  const std::string& trainer = "[python3, train.py]") {
    worker = h.AddWorker(4);
    std::string file = File(more);
    const std::string present = "[python3, train.py]";
    experiment = h.Submit(file.replace(file.find(present), present.size(), trainer));
    task = h.Tasks(StageKind::kReplicate).at(0);
    for (const PackedRun& packed : h.TaskAt(task)->pack) runs.push_back(packed.run);
    if (started) h.Started(task);
  }
  static std::string File(const std::string& more) {
    std::string file = TestFile("replicate", more);
    const std::string seeds = "{seeds: [11, 12, 13]}";
    return file.replace(file.find(seeds), seeds.size(), "{seeds: [11, 12, 13], packed: true}");
  }
  // The spec of the latest grant.
  Json Spec() const {
    Json spec;
    for (const auto& [link, output] : h.sent) {
      const auto* grant = std::get_if<GrantOutput>(&output);
      if (grant != nullptr && grant->lease.task == task)
        spec = *ParseJson(grant->spec_json, "spec");
    }
    return spec;
  }
  // Stops sent since the last look: the run of each, or "" for one of all.
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
  void Say(int run, Json line) {
    line["run"] = runs[run].str();
    h.Report(task, line);
  }
  void Progress(int run, int64_t step, double loss = 1) {
    Say(run,
        {{"type", "progress"}, {"step", step}, {"metrics", {{"train_loss", JsonNumber(loss)}}}});
  }
  void Validation(int run, int64_t step, double loss) {
    Say(run, {{"type", "validation"}, {"step", step}, {"metrics", {{"validation_loss", loss}}}});
  }
  void Done(int run) { Say(run, {{"type", "done"}, {"summary", {{"final_step", 40}}}}); }
  void Fail(int run, const char* kind) {
    Say(run, {{"type", "failed"}, {"kind", kind}, {"message", "as the test wants it"}});
  }
  absl::Status Upload(const RunId& run, int64_t step) {
    const Task& at = *h.TaskAt(task);
    checkpoint::Manifest manifest{
        absl::StrCat(run.str(), "/", step), at.attempts, at.epoch, step, {}};
    auto writer = h.blobs.Begin(manifest);
    (*writer)->Append("data", 0, manifest.id).IgnoreError();
    return h
        .Give(BlobInput{Harness::Ref(at), true, step, "", *(*writer)->Commit(),
                        at.attempt->ranks[0].worker, run})
        .status();
  }
  const Run& RunAt(int run) { return *h.snapshot()->runs->at(runs[run]); }
  core::RunStanding Standing(int run) const { return core::StandingOf(*h.TaskAt(task), runs[run]); }
  // "TASK: R1 R2 R3".
  std::string States() const {
    return absl::StrCat(h.StateOf(task), ": ", StateName(Standing(0).state), " ",
                        StateName(Standing(1).state), " ", StateName(Standing(2).state));
  }
};

TEST(Packs, OneTaskOneAttemptAndASpecThatNamesEveryRun) {
  Packed p;
  EXPECT_THAT(p.h.Tasks(StageKind::kReplicate), SizeIs(1));
  EXPECT_EQ(p.States(), "RUNNING: RUNNING RUNNING RUNNING");
  const Json spec = p.Spec();
  EXPECT_TRUE(MemberAt(spec, "run").is_null());
  EXPECT_EQ(IntegerAt(spec, "max_steps", 0), 40);
  const Json& runs = MemberAt(spec, "runs");
  ASSERT_EQ(runs.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(StringAt(runs[i], "id"), p.runs[i].str());
    EXPECT_EQ(IntegerAt(runs[i], "seed", 0), 11 + i);
    EXPECT_TRUE(MemberAt(runs[i], "resume_from").is_null());
    EXPECT_TRUE(MemberAt(MemberAt(runs[i], "parameters"), "training").is_object());
  }
}

TEST(Packs, WhatALineSaysIsOfTheRunThatItNames) {
  Packed p;
  p.Progress(0, 7, 2.5);
  p.Validation(1, 10, 1.5);
  EXPECT_EQ(p.RunAt(0).step, 7);
  EXPECT_EQ(p.RunAt(0).latest.at("train_loss"), 2.5);
  EXPECT_TRUE(p.RunAt(0).validations.empty());
  EXPECT_EQ(p.RunAt(1).validations.size(), 1u);
  EXPECT_EQ(p.RunAt(2).step, 0);
}

TEST(Packs, ALineThatNamesNoRunThatGoesOnIsABadReport) {
  Packed p;
  p.Done(2);
  EXPECT_EQ(p.h.CountEvents("bad_report"), 0);
  p.h.Progress(p.task, 5);
  EXPECT_THAT(p.h.LastEvent("bad_report").text, HasSubstr("names no \"run\""));
  p.h.Report(p.task, {{"type", "progress"}, {"step", 5}, {"run", "r-99"}});
  EXPECT_THAT(p.h.LastEvent("bad_report").text, HasSubstr("r-99, which is none"));
  p.Progress(2, 5);
  EXPECT_THAT(p.h.LastEvent("bad_report").text, HasSubstr("has ended: SUCCEEDED"));
  EXPECT_EQ(p.States(), "RUNNING: RUNNING RUNNING SUCCEEDED");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(p.RunAt(i).step, 0);
}

TEST(Packs, ATaskOfOneRunTakesItsOwnNameAndNoOther) {
  Harness h;
  h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  const std::string own = h.TaskAt(task)->run.str();
  h.Report(task, {{"type", "progress"}, {"step", 5}, {"run", own}});
  EXPECT_EQ(h.RunOf(task)->step, 5);
  h.Report(task, {{"type", "progress"}, {"step", 9}, {"run", "r-99"}});
  h.Report(task, {{"type", "done"}, {"run", "r-99"}});
  EXPECT_EQ(h.RunOf(task)->step, 5);
  EXPECT_TRUE(h.TaskAt(task)->ending.is_null());
  EXPECT_EQ(h.CountEvents("bad_report"), 2);
  h.Report(task, {{"type", "done"}, {"run", own}});
  h.Exit(task, 0);
  EXPECT_EQ(h.StateOf(task), "SUCCEEDED");
}

TEST(Packs, AbortingOneLetsTheOthersGoOn) {
  Packed p;
  p.h.sent.clear();
  p.Progress(1, 5, std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(p.Stops(), ElementsAre(p.runs[1].str()));
  EXPECT_EQ(p.States(), "RUNNING: RUNNING STOPPING RUNNING");
  p.Say(1, {{"type", "stopped"}, {"step", 5}});
  EXPECT_EQ(p.States(), "RUNNING: RUNNING ABORTED RUNNING");
  EXPECT_EQ(p.Standing(1).rule, "non_finite");
  EXPECT_EQ(p.h.snapshot()->certificates->size(), 1u);
  EXPECT_EQ(p.h.snapshot()->certificates->begin()->second->run, p.runs[1]);
  EXPECT_EQ(p.h.LastEvent("task_aborted").subject, p.runs[1].str());
  p.Done(0);
  EXPECT_THAT(p.Stops(), IsEmpty());
  p.Done(2);
  EXPECT_THAT(p.Stops(), ElementsAre(""));  // of the process, in case it does not end by itself
  EXPECT_EQ(p.States(), "STOPPING: SUCCEEDED ABORTED SUCCEEDED");
  p.h.Finish(p.task);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED ABORTED SUCCEEDED");
  EXPECT_EQ(p.h.Gate(p.experiment, StageKind::kReplicate),
            "SUCCEEDED passed: 2 of 3 finished: seed 12 ABORTED by non_finite");
}

TEST(Packs, AnAbortThatADoneOvertakesIsVoid) {
  Packed p;
  p.Progress(1, 5, std::numeric_limits<double>::infinity());
  p.Done(1);
  EXPECT_EQ(p.States(), "RUNNING: RUNNING SUCCEEDED RUNNING");
  EXPECT_EQ(p.h.CountEvents("abort_overtaken"), 1);
}

TEST(Packs, AFailureOfOneRunIsItsOwnUnlessItIsWorthAnotherTry) {
  Packed p;
  p.Fail(0, "out_of_memory");
  EXPECT_EQ(p.States(), "RUNNING: FAILED RUNNING RUNNING");
  p.Fail(1, "diverged");
  EXPECT_EQ(p.States(), "RUNNING: FAILED ABORTED RUNNING");
  EXPECT_EQ(p.h.snapshot()->certificates->size(), 1u);
  p.h.sent.clear();
  p.Fail(2, "infrastructure");
  EXPECT_EQ(p.States(), "PENDING: FAILED ABORTED PENDING");
  EXPECT_EQ(p.h.TaskAt(p.task)->retries_spent, 1);
  const bool revoked = std::any_of(p.h.sent.begin(), p.h.sent.end(), [](const auto& sent) {
    return std::holds_alternative<RevokeOutput>(sent.second);
  });
  EXPECT_TRUE(revoked);
}

TEST(Packs, ACheckpointIsTheRunsThatItsUploadNames) {
  Packed p;
  p.Progress(0, 10);
  EXPECT_TRUE(p.Upload(p.runs[0], 10).ok());
  EXPECT_EQ(p.RunAt(0).best_step, 10);
  EXPECT_EQ(p.RunAt(1).best_step, std::nullopt);
  for (const RunId& run : {RunId(), RunId("r-99")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(p.Upload(run, 10)));
  }
}

TEST(Packs, ACheckpointIsAskedOfOneRunThatGoesOn) {
  Packed p;
  p.Done(0);
  p.h.sent.clear();
  EXPECT_TRUE(p.h.Control(ControlVerb::kCheckpointSave, p.runs[1].str()).ok());
  Json asked;
  for (const auto& [link, output] : p.h.sent) {
    if (const auto* command = std::get_if<CommandOutput>(&output)) {
      asked = *ParseJson(command->json, "command");
    }
  }
  EXPECT_EQ(StringAt(asked, "cmd"), "checkpoint");
  EXPECT_EQ(StringAt(asked, "run"), p.runs[1].str());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      p.h.Control(ControlVerb::kCheckpointSave, p.runs[0].str()).status()));
}

TEST(Packs, AfterACrashEachResumesFromItsOwnCheckpoint) {
  Packed p;
  for (int i = 0; i < 3; ++i) p.Progress(i, 25);
  EXPECT_TRUE(p.Upload(p.runs[0], 10).ok());
  EXPECT_TRUE(p.Upload(p.runs[1], 20).ok());
  p.Done(2);
  p.h.Exit(p.task, 137);
  EXPECT_EQ(p.States(), "PENDING: PENDING PENDING SUCCEEDED");
  p.h.sent.clear();
  p.h.Advance(absl::Seconds(10));
  const Json runs = MemberAt(p.Spec(), "runs");
  ASSERT_EQ(runs.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(StringAt(runs[i], "id"), p.runs[i].str());
    const Json& resume = MemberAt(runs[i], "resume_from");
    EXPECT_EQ(IntegerAt(resume, "step", 0), 10 + 10 * i);
    EXPECT_EQ(StringAt(resume, "dir"), absl::StrCat("scm:", p.runs[i].str(), "/", 10 + 10 * i));
    EXPECT_EQ(p.RunAt(i).step, 10 + 10 * i);
  }
  EXPECT_EQ(p.RunAt(2).step, 25);
  p.h.Started(p.task);
  p.h.Finish(p.task);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED SUCCEEDED SUCCEEDED");
}

TEST(Packs, ARunThatDoesNotStopInTimeCostsTheOthersAnAttemptAndNoRetry) {
  Packed p;
  p.Progress(1, 5, std::numeric_limits<double>::quiet_NaN());
  p.h.sent.clear();
  p.h.Advance(absl::Seconds(60));
  EXPECT_THAT(p.Stops(), testing::Contains(""));
  EXPECT_EQ(p.States(), "STOPPING: STOPPING STOPPING STOPPING");
  p.h.Stopped(p.task);
  p.h.Advance(absl::Seconds(2));
  EXPECT_EQ(p.States(), "ASSIGNED: ASSIGNED ABORTED ASSIGNED");
  EXPECT_EQ(p.h.TaskAt(p.task)->retries_spent, 0);
}

TEST(Packs, TheWholeIsPausedResumedAndCancelled) {
  Packed p;
  ASSERT_TRUE(p.h.Control(ControlVerb::kPause, p.experiment.str()).ok());
  p.h.Stopped(p.task);
  EXPECT_EQ(p.States(), "PAUSED: PAUSED PAUSED PAUSED");
  ASSERT_TRUE(p.h.Control(ControlVerb::kResume, p.experiment.str()).ok());
  p.h.Advance(absl::Seconds(2));
  EXPECT_EQ(p.States(), "ASSIGNED: ASSIGNED ASSIGNED ASSIGNED");
  p.h.Started(p.task);
  p.Done(0);
  ASSERT_TRUE(p.h.Control(ControlVerb::kCancel, p.experiment.str()).ok());
  p.h.Stopped(p.task);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED CANCELLED CANCELLED");
  EXPECT_EQ(p.h.StateOf(p.experiment), "CANCELLED");
}

TEST(Packs, ARestartOfTheCoordinatorLosesNothingOfARun) {
  Packed p;
  p.Done(0);
  p.Progress(1, 5, std::numeric_limits<double>::quiet_NaN());
  p.Progress(2, 6);
  const std::string before = p.States();
  p.h.Restart();
  EXPECT_EQ(p.States(), before);
  EXPECT_EQ(before, "RUNNING: SUCCEEDED STOPPING RUNNING");
  EXPECT_EQ(IntegerAt(p.h.TaskAt(p.task)->pack[0].summary, "final_step", 0), 40);
  p.h.sent.clear();
  p.h.Return(p.worker, {Harness::Ref(*p.h.TaskAt(p.task))});
  EXPECT_THAT(p.Stops(), ElementsAre(p.runs[1].str()));  // said again
  p.Say(1, {{"type", "stopped"}, {"step", 5}});
  p.h.Finish(p.task);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED ABORTED SUCCEEDED");
}

TEST(Packs, WhatItsRunsCostIsWhatItCosts) {
  Packed p("budget: {limit: 100, cpu_hour: 3.6}\n");
  const auto sum = [&p] {
    double sum = 0;
    for (int i = 0; i < 3; ++i) sum += state::AccruedCost(*p.h.snapshot(), p.RunAt(i));
    return sum;
  };
  p.h.Advance(absl::Seconds(30));
  p.Done(0);
  p.h.Advance(absl::Seconds(20));
  EXPECT_NEAR(sum(), state::AccruedCost(*p.h.snapshot(), p.experiment), 1e-9);
  EXPECT_NEAR(state::AccruedCost(*p.h.snapshot(), p.RunAt(0)), 10 * 0.001, 1e-3);
  p.h.Exit(p.task, 137);
  p.h.Advance(absl::Seconds(20));
  p.h.Started(p.task);
  p.h.Finish(p.task);
  EXPECT_NEAR(sum(), state::AccruedCost(*p.h.snapshot(), p.experiment), 1e-9);
}

// When the gate fails, the next candidate model is trained as the first was.
TEST(Packs, TheFallbackModelIsPackedToo) {
  Packed p("", /*started=*/true, "[scm-trainer]");
  p.Fail(0, "bad_input");
  p.Fail(1, "bad_input");
  p.Done(2);
  p.h.Exit(p.task, 0);
  EXPECT_THAT(p.h.Gate(p.experiment, StageKind::kReplicate),
              HasSubstr("goes on with the fallback model"));
  const std::vector<TaskId> tasks = p.h.Tasks(StageKind::kReplicate);
  ASSERT_THAT(tasks, SizeIs(2));
  p.task = tasks[1];
  p.runs.clear();
  for (const PackedRun& packed : p.h.TaskAt(p.task)->pack) p.runs.push_back(packed.run);
  ASSERT_THAT(p.runs, SizeIs(3));
  const Json spec = p.Spec();
  EXPECT_THAT(spec["runs"], SizeIs(3));
  for (const Json& run : spec["runs"]) {
    EXPECT_EQ(run["parameters"]["model"]["base"], "/larger.gguf");
  }
  p.h.Started(p.task);
  for (int run = 0; run < 3; ++run) {
    EXPECT_EQ(p.RunAt(run).model_index, 1);
    p.Done(run);
  }
  p.h.Exit(p.task, 0);
  EXPECT_EQ(p.h.Gate(p.experiment, StageKind::kReplicate), "SUCCEEDED passed: 3 of 3 finished");
}

TEST(Packs, AreShownRunByRun) {
  Packed p;
  p.Fail(0, "bad_input");
  const Json status = answers::ToJson(*views::StatusView(*p.h.snapshot(), p.experiment.str()));
  ASSERT_EQ(status["tasks"].size(), 1u);
  EXPECT_EQ(status["tasks"][0]["runs"].size(), 3u);
  EXPECT_TRUE(status["tasks"][0]["run"].is_null());
  ASSERT_EQ(status["runs"].size(), 3u);
  EXPECT_EQ(StringAt(status["runs"][0], "state"), "FAILED");
  EXPECT_THAT(StringAt(status["runs"][0], "reason"), HasSubstr("as the test wants it"));
  EXPECT_EQ(StringAt(status["runs"][1], "state"), "RUNNING");
  const auto why = views::WhyView(*p.h.snapshot(), p.runs[0].str());
  EXPECT_THAT(why->reasons(0).text(), HasSubstr("as the test wants it"));
  EXPECT_EQ(why->reasons(0).subject(), p.runs[0].str());
  EXPECT_EQ(views::WhyView(*p.h.snapshot(), p.task.str())->reasons_size(), 4);
}

}  // namespace
}  // namespace scm::controller
