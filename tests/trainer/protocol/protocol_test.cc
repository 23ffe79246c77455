// SCM_SPEC, the report lines and the commands.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/protocol/commands.h"
#include "trainer/protocol/reporter.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;

constexpr char kSpec[] = R"({
  "protocol": 1, "experiment": {"id": "e-1", "name": "x"}, "task": {"id": "k-2", "kind": "train"},
  "run": {"id": "r-3", "trial": "t-1", "seed": 12}, "attempt": 2,
  "parameters": {
    "model": {"base": "/m"}, "data": {"corpus": "/c", "max_length": 64, "packing": false,
      "split": {"train": 0.6, "validation": 0.2, "test": 0.2, "by": "document", "seed": 3}},
    "lora": {"r": 8, "alpha": 16, "dropout": 0, "target_modules": ["q_proj"],
             "quantize_base": "none"},
    "training": {"learning_rate": 0.001, "schedule": "cosine", "batch_size": 8,
                 "early_stopping": {"patience": 3, "min_delta": 0.01}, "precision": "fp32"},
    "evaluation": {"tasks": ["a"], "baselines": [{"name": "p", "predictions": "/p.jsonl"}],
                   "primary": {"task": "a", "baseline": "p"}},
    "trainer": {"command": ["scm-trainer"], "parameters": {"max_validation_items": 5}},
    "something_new": [1]
  },
  "max_steps": 60, "stop_at_step": 30, "save_steps": 20, "eval_steps": 5,
  "resume_from": {"step": 20, "dir": "/r"}, "inputs": [{"kind": "checkpoint", "run": "r-1",
  "seed": 11, "step": 60, "dir": "/i"}], "work_dir": "/w",
  "resources": {"cpus": 2, "gpus": [], "rank": 0, "world_size": 1, "rendezvous": null}
})";

TEST(ParseJobSpec, ReadsEveryKey) {
  const auto spec = ParseJobSpec(kSpec, "spec.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->kind, TaskKind::kTrain);
  EXPECT_EQ(spec->seed, 12u);
  EXPECT_EQ(spec->model, "/m");
  EXPECT_EQ(spec->data.corpus, "/c");
  EXPECT_EQ(spec->data.split.seed, 3);
  EXPECT_FALSE(spec->data.packing);
  // What an older coordinator sends: plain text, and no end token.
  EXPECT_EQ(spec->data.special_tokens, "text");
  EXPECT_FALSE(spec->data.end_token);
  EXPECT_EQ(spec->lora.r, 8);
  EXPECT_EQ(spec->training.schedule, "cosine");
  EXPECT_EQ(spec->training.early_stopping->patience, 3);
  EXPECT_EQ(spec->training.warmup_steps, 100);  // the documented default
  EXPECT_EQ(spec->evaluation.baselines[0].predictions, "/p.jsonl");
  EXPECT_EQ(spec->evaluation.primary->task, "a");
  EXPECT_EQ(spec->trainer.max_validation_items, 5);
  EXPECT_EQ(spec->stop_at_step, 30);
  EXPECT_EQ(spec->resume_from->dir, "/r");
  EXPECT_EQ(spec->inputs[0].seed, 11);
  EXPECT_EQ(spec->resources.cpus, 2);
}

TEST(ParseJobSpec, ReadsHowTextsBecomeTokens) {
  std::string text = kSpec;
  text.replace(text.find("\"packing\": false"), 16,
               "\"packing\": true, \"special_tokens\": \"parse\", \"end_token\": true");
  const auto spec = ParseJobSpec(text, "spec.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->data.special_tokens, "parse");
  EXPECT_TRUE(spec->data.end_token);
}

TEST(ParseJobSpec, ReadsEachRunOfAPackAsAWorkOrderOfItsOwn) {
  Json document = ParseJson(kSpec, "spec").value();
  document["run"] = document["resume_from"] = nullptr;
  Json first = {{"id", "r-3"},
                {"trial", "t-1"},
                {"seed", 12},
                {"parameters", document["parameters"]},
                {"resume_from", {{"step", 20}, {"dir", "/r"}}}};
  Json second = first;
  second["id"] = "r-4";
  second["seed"] = 13;
  second["parameters"]["training"]["learning_rate"] = 0.5;
  second["resume_from"] = nullptr;
  document["runs"] = {first, second};
  const auto spec = ParseJobSpec(document.dump(), "spec.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->run_id, "");
  EXPECT_FALSE(spec->resume_from.has_value());
  ASSERT_EQ(spec->pack.size(), 2u);
  EXPECT_EQ(spec->pack[0].run_id, "r-3");
  EXPECT_EQ(spec->pack[0].resume_from->step, 20);
  EXPECT_EQ(spec->pack[0].work_dir, "/w/r-3");
  EXPECT_EQ(spec->pack[1].seed, 13u);
  EXPECT_EQ(spec->pack[1].training.learning_rate, 0.5);
  EXPECT_EQ(spec->pack[1].max_steps, 60);
  EXPECT_FALSE(spec->pack[1].resume_from.has_value());
  document["task"]["kind"] = "evaluate";
  EXPECT_THAT(std::string(ParseJobSpec(document.dump(), "s").status().message()),
              HasSubstr("runs: only a training has several"));
  document["task"]["kind"] = "train";
  for (const Json& bad : {Json::array(), Json("r-3"), Json({{"id", "r-3"}})}) {
    document["runs"] = bad;
    EXPECT_FALSE(ParseJobSpec(document.dump(), "s").ok()) << bad;
  }
}

TEST(ParseJobSpec, AllLinearIsEveryMatrix) {
  std::string text = kSpec;
  text.replace(text.find("[\"q_proj\"]"), 10, "\"all-linear\"");
  const auto spec = ParseJobSpec(text, "spec.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->lora.target_modules,
            (std::vector<std::string>{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj",
                                      "up_proj", "down_proj"}));
}

// What submission takes outside the sections: seeds to the last, and as many CPUs.
TEST(ParseJobSpec, TakesEverySeedAndEveryNumberOfCpus) {
  std::string text = kSpec;
  text.replace(text.find("\"seed\": 12}"), 11, "\"seed\": 9223372036854775807}");
  text.replace(text.find("\"cpus\": 2"), 9, "\"cpus\": 65536");
  const auto spec = ParseJobSpec(text, "spec.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->seed, 9223372036854775807u);
  EXPECT_EQ(spec->resources.cpus, 65536);
}

struct BadCase {
  const char* from;
  const char* to;
  const char* message;
};

TEST(ParseJobSpec, NamesTheWrongKey) {
  const BadCase cases[] = {
      {"\"protocol\": 1", "\"protocol\": 2", "protocol: is 2"},
      {"\"kind\": \"train\"", "\"kind\": \"dance\"", "task.kind: \"dance\""},
      {"\"base\": \"/m\"", "\"other\": 1", "parameters.model.base: missing"},
      {"\"max_length\": 64", "\"max_length\": -1", "parameters.data.max_length: expected 8"},
      {"\"packing\": false", "\"special_tokens\": \"ids\"",
       "parameters.data.special_tokens: \"ids\" is not one of text, parse"},
      {"\"cosine\"", "\"sine\"", "parameters.training.schedule: \"sine\" is not one of linear"},
      {"\"batch_size\": 8", "\"batch_size\": 8.5",
       "parameters.training.batch_size: expected a whole"},
      {"\"learning_rate\": 0.001", "\"learning_rate\": \"fast\"",
       "parameters.training.learning_rate: expected a number"},
      {"\"stop_at_step\": 30", "\"stop_at_step\": 61", "stop_at_step: is 61, beyond max_steps 60"},
      {"\"step\": 20", "\"step\": 31", "resume_from.step: is 31"},
      {"\"quantize_base\": \"none\"", "\"quantize_base\": \"fp4\"", "quantize_base: \"fp4\""},
      {"\"patience\": 3", "\"patience\": 0", "early_stopping.patience: expected at least 1"},
      {"\"work_dir\": \"/w\"", "\"work\": 1", "work_dir: missing"},
      {"\"world_size\": 1", "\"world_size\": 2", "resources.world_size"},
      {"\"rank\": 0", "\"rank\": 1", "resources.rank: is 1 of 1"},
      {"\"world_size\": 1, \"rendezvous\": null",
       "\"world_size\": 2, \"rendezvous\": {\"host\": \"a\"}",
       "resources.rendezvous.port: missing"},
      {"\"name\": \"p\"", "\"nam\": \"p\"", "parameters.evaluation.baselines[0].name: missing"},
  };
  for (const BadCase& c : cases) {
    std::string text = kSpec;
    const size_t at = text.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    text.replace(at, std::string(c.from).size(), c.to);
    const auto spec = ParseJobSpec(text, "spec.json");
    ASSERT_FALSE(spec.ok()) << c.to;
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr(c.message));
    EXPECT_STREQ(FailureKind(spec.status()), "bad_input");
  }
}

TEST(ParseJobSpec, ReportsEveryProblemAtOnce) {
  const auto spec = ParseJobSpec(R"({"protocol": 1, "task": {"kind": "train"}})", "spec.json");
  ASSERT_FALSE(spec.ok());
  for (const char* part : {"parameters: missing", "max_steps: missing", "work_dir: missing"}) {
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr(part));
  }
  EXPECT_FALSE(ParseJobSpec("{", "spec.json").ok());
  EXPECT_FALSE(ParseJobSpec("[]", "spec.json").ok());
}

TEST(ParseJobSpec, EarlyStoppingCanBeOff) {
  for (const char* off : {"null", "\"none\""}) {
    std::string text = kSpec;
    const std::string on = R"({"patience": 3, "min_delta": 0.01})";
    text.replace(text.find(on), on.size(), off);
    const auto spec = ParseJobSpec(text, "spec.json");
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_FALSE(spec->training.early_stopping.has_value());
  }
}

// A pipe whose ends close with it.
struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    CloseWriter();
    ::close(ends[0]);
  }
  void CloseWriter() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  int ends[2];
};

TEST(Reporter, WritesOneLineAReport) {
  Pipe pipe;
  Reporter reporter(pipe.ends[1]);
  const ValidationCounts counts{3, 4, 0.25, 1.5};
  ASSERT_TRUE(reporter.Started().ok());
  ASSERT_TRUE(reporter
                  .Progress(1, {{"train_loss", std::nan("")},
                                {"grad_norm", -std::numeric_limits<double>::infinity()}})
                  .ok());
  ASSERT_TRUE(reporter.Validation(2, {{"validation_loss", 1.5}}, &counts).ok());
  ASSERT_TRUE(reporter.Validation(2, {{"validation_loss", 1.5}}, nullptr).ok());
  ASSERT_TRUE(reporter.Checkpoint(2, "/d").ok());
  ASSERT_TRUE(reporter.Failed("bad_input", "two\nlines and \xff").ok());
  pipe.CloseWriter();
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(::read(pipe.ends[0], text.data(), text.size())));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0], R"({"type":"started"})");
  EXPECT_EQ(lines[1], R"({"type":"progress","step":1,"metrics":{"train_loss":"NaN",)"
                      R"("grad_norm":"-Infinity"}})");
  EXPECT_EQ(lines[2], R"({"type":"validation","step":2,"metrics":{"validation_loss":1.5},)"
                      R"("counts":{"correct":3,"items":4,"chance":0.25,"deff":1.5}})");
  EXPECT_EQ(lines[3], R"({"type":"validation","step":2,"metrics":{"validation_loss":1.5}})");
  EXPECT_EQ(lines[4], R"({"type":"checkpoint","step":2,"dir":"/d"})");
  EXPECT_TRUE(ParseJson(lines[5], "line").ok());
}

TEST(Reporter, SaysWhenNobodyCanHearIt) {
  Reporter reporter(-1);
  EXPECT_EQ(reporter.Started().code(), absl::StatusCode::kUnavailable);
}

TEST(CommandQueue, IgnoresWhatItDoesNotKnow) {
  CommandQueue queue;
  for (const char* line : {"", "{", "[]", R"({"cmd":"dance"})", R"({"other":1})", "stop"}) {
    queue.PushLine(line);
  }
  EXPECT_FALSE(queue.stop().has_value());
  EXPECT_FALSE(queue.TakeCheckpoint());
  queue.PushLine(R"({"cmd":"stop","reason":"rung","checkpoint":true,"grace_seconds":5,"new":1})");
  EXPECT_EQ(queue.stop()->reason, "rung");
  EXPECT_TRUE(queue.stop()->checkpoint);
}

TEST(CommandReader, ReadsLinesAsTheyComeAndEndsWithItsOwner) {
  Pipe pipe;
  CommandQueue queue;
  {
    CommandReader reader(pipe.ends[0], &queue);
    for (const std::string part : {"{\"cmd\":\"check", "point\"}\n{\"cmd\":\"stop\"}\n{\"cmd\""}) {
      ASSERT_EQ(::write(pipe.ends[1], part.data(), part.size()), static_cast<ssize_t>(part.size()));
    }
    while (!queue.stop().has_value()) std::this_thread::yield();
  }
  EXPECT_TRUE(queue.TakeCheckpoint());
  EXPECT_FALSE(queue.TakeCheckpoint());
  EXPECT_FALSE(queue.stop()->checkpoint);
}

TEST(CommandReader, ASignalThatEndsEverythingIsAStopWithACheckpoint) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // As the shim starts it.
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    const int end_signals = TakeEndSignals();
    Pipe pipe;
    CommandQueue queue;
    CommandReader reader(pipe.ends[0], &queue, end_signals);
    kill(getpid(), SIGTERM);
    while (!queue.stop().has_value()) std::this_thread::yield();
    kill(getpid(), SIGTERM);  // schedulers repeat it
    const std::string cancel = "{\"cmd\":\"stop\",\"reason\":\"cancel\"}\n";
    if (::write(pipe.ends[1], cancel.data(), cancel.size()) < 0) _exit(3);
    while (queue.stop()->reason != "cancel") std::this_thread::yield();
    kill(getpid(), SIGINT);  // an order that was given stands
    sigset_t pending;
    for (sigpending(&pending); sigismember(&pending, SIGINT) == 1; sigpending(&pending)) {
      std::this_thread::yield();
    }
    const std::string after = "{\"cmd\":\"checkpoint\"}\n";  // is read after it was dealt with
    if (::write(pipe.ends[1], after.data(), after.size()) < 0) _exit(3);
    while (!queue.TakeCheckpoint()) std::this_thread::yield();
    _exit(queue.stop()->reason == "cancel" && !queue.stop()->checkpoint ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(CommandReader, ByHandASecondSignalEnds) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGTERM, SIG_DFL);
    const int end_signals = TakeEndSignals();
    Pipe pipe;
    CommandQueue queue;
    CommandReader reader(pipe.ends[0], &queue, end_signals);
    kill(getpid(), SIGTERM);
    while (!queue.stop().has_value()) std::this_thread::yield();
    if (queue.stop()->reason != "drain" || !queue.stop()->checkpoint) _exit(1);
    kill(getpid(), SIGTERM);
    for (;;) pause();
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(CommandQueue, OrdersOfOneRunAndOfTheProcess) {
  CommandQueue queue;
  queue.PushLine(R"({"cmd":"checkpoint"})");
  EXPECT_TRUE(queue.TakeCheckpoint("r-1"));
  EXPECT_FALSE(queue.TakeCheckpoint("r-1"));
  EXPECT_TRUE(queue.TakeCheckpoint("r-2"));  // each run sees it once
  queue.PushLine(R"({"cmd":"checkpoint","run":"r-2"})");
  EXPECT_FALSE(queue.TakeCheckpoint("r-1"));
  EXPECT_TRUE(queue.TakeCheckpoint("r-2"));
  EXPECT_FALSE(queue.TakeCheckpoint("r-2"));
  queue.PushLine(R"({"cmd":"stop","run":"r-2","reason":"abort"})");
  EXPECT_FALSE(queue.stop().has_value());
  EXPECT_FALSE(queue.StopOf("r-1").has_value());
  EXPECT_EQ(queue.StopOf("r-2")->reason, "abort");
  queue.PushLine(R"({"cmd":"stop","reason":"drain","checkpoint":true})");
  for (const char* run : {"r-1", "r-2"}) {
    EXPECT_EQ(queue.StopOf(run)->reason, "drain");
    EXPECT_TRUE(queue.StopOf(run)->checkpoint);
  }
}

}  // namespace
}  // namespace scm::trainer
