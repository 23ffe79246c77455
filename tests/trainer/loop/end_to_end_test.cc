// scm-trainer as a process: reports, commands, crash and resume, check, export, failures.
#include <signal.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/file_digests.h"
#include "common/files.h"
#include "corpus/input_check.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/process_fixture.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;
using testing::OfType;
using testing::ProtocolProcess;
using testing::RunProtocol;
using testing::TinySpec;

class Trainer : public TrainerProcess {
 protected:
  // A longer run, so that it can be interrupted: a checkpoint every 50th of 400 steps.
  static Json LongSpec(const std::string& work_dir) {
    Json spec = TinySpec(root(), "train", work_dir);
    spec["max_steps"] = spec["stop_at_step"] = 400;
    spec["save_steps"] = 50;
    spec["eval_steps"] = 50;
    return spec;
  }

  // Progress from `first` on without what depends on time.
  static std::vector<std::string> Losses(const std::vector<Json>& reports, int64_t first) {
    std::vector<std::string> lines;
    for (Json report : reports) {
      if (IntegerAt(report, "step", -1) < first || !report.contains("metrics")) continue;
      report["metrics"].erase("tokens_per_second");
      lines.push_back(report.dump());
    }
    return lines;
  }
};

TEST_F(Trainer, TrainsAndReports) {
  const auto reports =
      RunProtocol("scm-trainer", TinySpec(root(), "train", "w1"), ReportPath("w1"));
  ASSERT_FALSE(reports.empty());
  ASSERT_EQ(reports.front()["type"], "started");
  EXPECT_EQ(OfType(reports, "progress").size(), 12u);
  EXPECT_EQ(OfType(reports, "checkpoint").size(), 3u);
  const auto validations = OfType(reports, "validation");
  ASSERT_EQ(validations.size(), 7u);  // 0 3 4 6 8 9 12
  const Json& counts = validations[0]["counts"];
  EXPECT_GT(counts["items"].get<int>(), 0);
  EXPECT_GT(counts["chance"].get<double>(), 0);
  EXPECT_GE(counts["deff"].get<double>(), 1);
  EXPECT_LT(validations.back()["metrics"]["validation_loss"].get<double>(),
            validations.front()["metrics"]["validation_loss"].get<double>());
  ASSERT_EQ(reports.back()["type"], "done");
  const Json& summary = reports.back()["summary"];
  EXPECT_EQ(summary["final_step"], 12);
  EXPECT_EQ(summary["stopped_early"], false);
  EXPECT_GT(summary["tokens"].get<int64_t>(), 0);
  const auto files = Files(root() + "/w1/checkpoints/step-12");
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors",
                           "optimizer.safetensors", "README.md", "training_state.json"}) {
    EXPECT_EQ(files.count(name), 1u) << name;
  }
  EXPECT_EQ(files.size(), 5u);
}

// The debug mode of docs/gpu-kernels.md: passes are filled up, and the training is the same.
TEST_F(Trainer, ChecksThatItsPassesCouldBeReplayed) {
  Json spec = TinySpec(root(), "train", "replayed");
  spec["parameters"]["training"]["gradient_accumulation"] = 2;
  const auto checked =
      RunProtocol("scm-trainer", spec, ReportPath("replayed"), 0, {"SCM_CHECK_REPLAY=1"});
  spec["work_dir"] = root() + "/not-replayed";
  const auto plain = RunProtocol("scm-trainer", spec, ReportPath("not-replayed"));
  const auto own = OfType(checked, "progress"), wanted = OfType(plain, "progress");
  ASSERT_EQ(own.size(), 12u);
  for (size_t i = 0; i < own.size(); ++i) {
    for (const char* name : {"train_loss", "grad_norm"}) {
      const double value = wanted[i]["metrics"][name].get<double>();
      EXPECT_NEAR(own[i]["metrics"][name].get<double>(), value, 1e-4 * value) << name;
    }
  }
}

TEST_F(Trainer, KilledAndResumedGivesTheSameBytes) {
  const auto whole = RunProtocol("scm-trainer", LongSpec("whole"), ReportPath("whole"));
  std::vector<Json> checkpoints;
  {
    ProtocolProcess killed("scm-trainer", LongSpec("killed"), ReportPath("killed"));
    ASSERT_TRUE(killed.WaitFor([](const Json& r) { return r["type"] == "checkpoint"; }));
    killed.Kill(SIGKILL);
    EXPECT_EQ(killed.Wait(), 128 + SIGKILL) << "the run ended before it could be killed";
    checkpoints = killed.OfType("checkpoint");
  }
  Json spec = LongSpec("resumed");
  spec["attempt"] = 2;
  spec["resume_from"] = {{"step", checkpoints.back()["step"]}, {"dir", checkpoints.back()["dir"]}};
  const auto resumed = RunProtocol("scm-trainer", spec, ReportPath("resumed"));
  const int64_t first = checkpoints.back()["step"].get<int64_t>() + 1;
  EXPECT_EQ(Losses(resumed, first), Losses(whole, first));
  EXPECT_EQ(Losses(resumed, 0), Losses(resumed, first)) << "steps before the checkpoint again";
  EXPECT_EQ(Files(root() + "/resumed/checkpoints/step-400"),
            Files(root() + "/whole/checkpoints/step-400"));
}

TEST_F(Trainer, ResultDoesNotDependOnTheNumberOfThreads) {
  Json one = TinySpec(root(), "train", "threads1"), two = TinySpec(root(), "train", "threads2");
  two["resources"]["cpus"] = 2;
  RunProtocol("scm-trainer", one, ReportPath("threads1"));
  RunProtocol("scm-trainer", two, ReportPath("threads2"));
  EXPECT_EQ(Files(root() + "/threads1/checkpoints/step-12"),
            Files(root() + "/threads2/checkpoints/step-12"));
}

// What ends a whole job reaches the trainer, too.
TEST_F(Trainer, ASignalIsAStopWithACheckpoint) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const std::string name = absl::StrCat("signal-", signal);
    Json spec = LongSpec(name);
    spec["max_steps"] = spec["stop_at_step"] = 1000000;
    spec["save_steps"] = spec["eval_steps"] = 1000000;
    ProtocolProcess process("scm-trainer", spec, ReportPath(name));
    ASSERT_TRUE(process.WaitFor([](const Json& r) { return r["type"] == "progress"; }));
    process.Kill(signal);
    EXPECT_EQ(process.Wait(), 0);
    EXPECT_EQ(process.OfType("checkpoint").size(), 1u);
    EXPECT_EQ(process.OfType("stopped").size(), 1u);
  }
}

TEST_F(Trainer, ObeysCheckpointAndStop) {
  Json spec = LongSpec("commanded");
  spec["max_steps"] = spec["stop_at_step"] = 1000000;
  spec["save_steps"] = spec["eval_steps"] = 1000000;
  ProtocolProcess process("scm-trainer", spec, ReportPath("commanded"));
  ASSERT_TRUE(process.WaitFor([](const Json& r) { return r["type"] == "progress"; }));
  process.Send(R"({"cmd":"checkpoint"})");
  ASSERT_TRUE(process.WaitFor([](const Json& r) { return r["type"] == "checkpoint"; }));
  process.Send(R"({"cmd":"stop","reason":"pause","checkpoint":true,"grace_seconds":30})");
  EXPECT_EQ(process.Wait(), 0);
  const auto reports = process.Reports();
  ASSERT_EQ(reports.back()["type"], "stopped");
  const auto checkpoints = OfType(reports, "checkpoint");
  ASSERT_EQ(checkpoints.size(), 2u);
  EXPECT_EQ(checkpoints.back()["step"], reports.back()["step"]);
  EXPECT_TRUE(FileExists(StringAt(checkpoints.back(), "dir") + "/training_state.json"));
}

TEST_F(Trainer, StopWithoutACheckpointWritesNone) {
  Json spec = LongSpec("aborted");
  spec["max_steps"] = spec["stop_at_step"] = 1000000;
  spec["save_steps"] = 1000000;
  ProtocolProcess process("scm-trainer", spec, ReportPath("aborted"));
  ASSERT_TRUE(process.WaitFor([](const Json& r) { return r["type"] == "progress"; }));
  process.Send(R"({"cmd":"stop","reason":"abort"})");
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_EQ(process.Reports().back()["type"], "stopped");
  EXPECT_TRUE(process.OfType("checkpoint").empty());
}

// A run goes on with the adapter of another: from its weights, with a new optimiser and schedule.
TEST_F(Trainer, StartsFromAnAdapter) {
  const auto first =
      RunProtocol("scm-trainer", TinySpec(root(), "train", "warm1"), ReportPath("warm1"));
  const std::string adapter = root() + "/warm1/checkpoints/step-12";
  Json spec = TinySpec(root(), "train", "warm2");
  spec["parameters"]["lora"]["init"] = adapter;
  FileDigests digests("");
  const auto record =
      corpus::RecordInput("lora.init", adapter, corpus::InputKind::kAdapter, digests);
  ASSERT_TRUE(record.ok()) << record.status();
  spec["parameters"]["digests"]["inputs"] = corpus::InputRecordsToJson({*record});
  const auto second = RunProtocol("scm-trainer", spec, ReportPath("warm2"));
  const auto before = OfType(first, "validation"), after = OfType(second, "validation");
  EXPECT_EQ(after.front()["step"], 0);
  EXPECT_EQ(after.front()["metrics"], before.back()["metrics"]);
  EXPECT_NE(after.front()["metrics"], before.front()["metrics"]);
  EXPECT_EQ(OfType(second, "progress").front()["metrics"]["learning_rate"], 0.0);

  // Resumed, the checkpoint counts.
  spec["work_dir"] = root() + "/warm3";
  spec["attempt"] = 2;
  spec["resume_from"] = {{"step", 8}, {"dir", root() + "/warm2/checkpoints/step-8"}};
  const auto resumed = RunProtocol("scm-trainer", spec, ReportPath("warm3"));
  EXPECT_EQ(Files(root() + "/warm3/checkpoints/step-12"),
            Files(root() + "/warm2/checkpoints/step-12"));
  spec["resume_from"] = nullptr;

  Json other = spec;
  other["parameters"]["lora"]["r"] = 2;
  EXPECT_THAT(RunProtocol("scm-trainer", other, ReportPath("warm4"), 1).back().dump(),
              HasSubstr("write lora: {r: 4, alpha: 8, target_modules: [q_proj, v_proj]}"));
  const std::string config = adapter + "/adapter_config.json";
  ASSERT_TRUE(WriteFileAtomically(config, ReadFile(config).value() + "\n").ok());
  const auto refused = RunProtocol("scm-trainer", spec, ReportPath("warm5"), 1);
  EXPECT_EQ(refused.back()["kind"], "bad_input");
  EXPECT_THAT(refused.back().dump(), HasSubstr("adapter_config.json is not what it was"));
}

// Whether such a rate overflows depends on the instruction set's order of additions; what must hold
// everywhere is that it ends by itself and that no number is hidden.
TEST_F(Trainer, AbsurdLearningRateNeitherCrashesNorHangs) {
  Json spec = TinySpec(root(), "train", "absurd");
  spec["parameters"]["training"]["learning_rate"] = 1e12;
  spec["parameters"]["training"]["max_grad_norm"] = 1e300;  // nothing is clipped
  ProtocolProcess process("scm-trainer", spec, ReportPath("absurd"));
  const int code = process.Wait();
  const auto reports = process.Reports();
  const auto validations = OfType(reports, "validation");
  ASSERT_GE(validations.size(), 1u);
  if (code == 0) {
    ASSERT_EQ(reports.back()["type"], "done");
    // Finite, but nothing was learned: no better than guessing among the 256 tokens.
    EXPECT_GE(validations.back()["metrics"]["validation_loss"].get<double>(),
              std::log(256.0) - 1e-3);
  } else {
    ASSERT_EQ(reports.back()["type"], "failed");
    ASSERT_EQ(reports.back()["kind"], "diverged") << reports.back().dump();
    const Json metrics = OfType(reports, "progress").back()["metrics"];
    EXPECT_TRUE(metrics["train_loss"].is_string() || metrics["grad_norm"].is_string());
  }
}

TEST_F(Trainer, NonFiniteLossIsReportedAndEndsTheRun) {
  const std::string model = root() + "/nan-model";
  testing::WriteNanModel(model);
  Json spec = TinySpec(root(), "train", "nan");
  spec["parameters"]["model"]["base"] = model;
  const auto reports = RunProtocol("scm-trainer", spec, ReportPath("nan"), 1);
  ASSERT_EQ(reports.back()["type"], "failed");
  EXPECT_EQ(reports.back()["kind"], "diverged") << reports.back().dump();
  const auto validations = OfType(reports, "validation");
  ASSERT_GE(validations.size(), 1u);
  EXPECT_EQ(validations[0]["metrics"]["validation_loss"], "NaN");
  // The damaged tensor is the last one of the file.
  const std::string message = StringAt(reports.back(), "message");
  EXPECT_THAT(message, HasSubstr("diverged at step 1 (learning rate 0): the first value that is "
                                 "not finite arose in norm, forward"));
}

TEST_F(Trainer, CheckReportsTheDataAndAShortTraining) {
  const auto reports =
      RunProtocol("scm-trainer", TinySpec(root(), "check", "check"), ReportPath("check"));
  const auto artifacts = OfType(reports, "artifact");
  ASSERT_EQ(artifacts.size(), 1u);
  EXPECT_EQ(artifacts[0]["name"], "data_check");
  const auto found = ParseJson(ReadFile(StringAt(artifacts[0], "path")).value_or(""), "data_check");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)["demonstration"], true);
  const Json& summary = reports.back()["summary"];
  EXPECT_EQ(summary["items"], 160);
  EXPECT_EQ(summary["documents"], 40);
  EXPECT_LT(summary["final"]["validation_loss"].get<double>(),
            summary["base"]["validation_loss"].get<double>());
  EXPECT_TRUE(summary["base"]["validation_accuracy"].is_number());
  EXPECT_GT(summary["tokens_per_second"].get<double>(), 0);
}

TEST_F(Trainer, PacksAndAccumulates) {
  Json spec = TinySpec(root(), "train", "packed");
  spec["parameters"]["data"]["packing"] = true;
  spec["parameters"]["training"]["loss_on"] = "all";
  spec["parameters"]["training"]["gradient_accumulation"] = 2;
  spec["parameters"]["training"]["schedule"] = "cosine";
  const auto reports = RunProtocol("scm-trainer", spec, ReportPath("packed"));
  const auto progress = OfType(reports, "progress");
  ASSERT_EQ(progress.size(), 12u);
  // 8 rows of 64 positions a step, mostly filled.
  EXPECT_GT(progress[0]["metrics"]["tokens"].get<double>(), 300);
  EXPECT_LT(progress.back()["metrics"]["train_loss"].get<double>(),
            progress.front()["metrics"]["train_loss"].get<double>());
}

struct FailureCase {
  const char* pointer;  // into the work order
  Json value;
  const char* message;
};

TEST_F(Trainer, FailsWithAMessageThatNamesTheCause) {
  ASSERT_TRUE(MakeDirectories(root() + "/empty").ok());
  const FailureCase cases[] = {
      {"/parameters/model/base", root() + "/nowhere", "nowhere"},
      {"/parameters/data/corpus", root() + "/empty", "empty"},
      {"/parameters/data/split/validation", 0.0, "split"},
      {"/parameters/lora/target_modules", {"x_proj"}, "x_proj"},
      {"/parameters/training/batch_size", 0, "parameters.training.batch_size"},
      {"/resume_from", {{"step", 4}, {"dir", root() + "/nowhere"}}, "nowhere"},
      {"/task/kind", "evaluate", "scm-trainer does check, train and export"},
      {"/resources/gpus", {0}, "resources.gpus"},
  };
  for (const FailureCase& c : cases) {
    Json spec = TinySpec(root(), "train", "fails");
    spec[Json::json_pointer(c.pointer)] = c.value;
    const auto reports = RunProtocol("scm-trainer", spec, ReportPath("fails"), 1);
    ASSERT_FALSE(reports.empty()) << c.pointer;
    EXPECT_EQ(reports.back()["type"], "failed") << c.pointer;
    EXPECT_EQ(reports.back()["kind"], "bad_input") << reports.back().dump();
    EXPECT_THAT(StringAt(reports.back(), "message"), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace scm::trainer
