// Several runs in one scm-trainer: each comes to the bytes that it comes to alone.
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/process_fixture.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;
using testing::ProtocolProcess;
using testing::RunProtocol;
using testing::TinySpec;

std::string RunName(int seed) { return absl::StrCat("r-", seed); }

class Packs : public TrainerProcess {
 protected:
  // Seeds differ in whatever runs of a pack may differ in. Seed 13 stops early, 14 is longer on
  // its way with each step.
  static Json Solo(int seed, const std::string& work_dir, int64_t steps = 12) {
    Json spec = TinySpec(root(), "train", work_dir);
    spec["run"] = {{"id", RunName(seed)}, {"trial", "t-1"}, {"seed", seed}};
    spec["max_steps"] = spec["stop_at_step"] = steps;
    Json& training = spec["parameters"]["training"];
    Json& lora = spec["parameters"]["lora"];
    if (seed == 12) lora["dropout"] = 0.0;
    if (seed == 13) {
      training["early_stopping"] = {{"patience", 1}, {"min_delta", 0.05}};
      lora["target_modules"] = {"q_proj", "down_proj"};
    }
    if (seed == 14) {
      training["gradient_accumulation"] = 3;
      training["batch_size"] = 2;
      training["weight_decay"] = 0.1;
      lora["r"] = 8;
    }
    if (seed == 15) {
      training["schedule"] = "cosine";
      training["warmup_steps"] = 5;
      lora["target_modules"] = {"q_proj", "k_proj", "o_proj", "up_proj"};
    }
    return spec;
  }

  static Json Pack(const std::vector<int>& seeds, const std::string& work_dir, int64_t steps = 12) {
    Json spec = Solo(11, work_dir, steps);
    spec["run"] = nullptr;
    for (const int seed : seeds) {
      const Json one = Solo(seed, work_dir, steps);
      Json run = one["run"];
      run["parameters"] = one["parameters"];
      run["resume_from"] = nullptr;
      spec["runs"].push_back(run);
    }
    return spec;
  }

  // What is said about a run, without its name and what depends on time and place.
  static std::vector<std::string> Words(const std::vector<Json>& reports, const std::string& run) {
    std::vector<std::string> lines;
    for (Json report : reports) {
      if (StringAt(report, "run") != run || report["type"] == "started") continue;
      for (const char* key : {"run", "dir"}) report.erase(key);
      if (report.contains("metrics")) report["metrics"].erase("tokens_per_second");
      lines.push_back(report.dump());
    }
    return lines;
  }

  // The run alone, trained once for all tests: its directory.
  static std::string Alone(int seed, int64_t steps = 12) {
    const std::string name = absl::StrCat("alone-", seed, "-", steps);
    if (alone_.count(name) == 0) {
      alone_[name] = RunProtocol("scm-trainer", Solo(seed, name, steps), ReportPath(name));
    }
    return root() + "/" + name;
  }
  static const std::vector<Json>& AloneReports(int seed) {
    Alone(seed);
    return alone_[absl::StrCat("alone-", seed, "-12")];
  }

  static void ExpectSameCheckpoints(const std::string& pack, int seed, const std::string& alone) {
    const std::string checkpoints = "/checkpoints";
    const auto steps = ListDirectory(alone + checkpoints);
    ASSERT_TRUE(steps.ok()) << steps.status();
    const std::string mine = absl::StrCat(root(), "/", pack, "/", RunName(seed), checkpoints);
    EXPECT_EQ(ListDirectory(mine).value_or(std::vector<std::string>()), *steps);
    for (const std::string& step : *steps) {
      EXPECT_TRUE(Files(mine + "/" + step) == Files(alone + checkpoints + "/" + step))
          << mine << " " << step;
    }
  }

 private:
  static std::map<std::string, std::vector<Json>> alone_;
};

std::map<std::string, std::vector<Json>> Packs::alone_;

TEST_F(Packs, EachRunHasTheBytesAndWordsThatItHasAlone) {
  // Otherwise a part of this says nothing.
  ASSERT_LT(AloneReports(13).back()["summary"]["final_step"].get<int>(), 12)
      << absl::StrJoin(Words(AloneReports(13), ""), "\n");
  const std::vector<int> packs[] = {{11}, {12, 13}, {11, 12, 13, 14, 15}};
  for (const auto& seeds : packs) {
    for (const int cpus : {1, 2}) {
      const std::string name = absl::StrCat("pack-", seeds.size(), "-", cpus);
      Json spec = Pack(seeds, name);
      spec["resources"]["cpus"] = cpus;
      const auto reports = RunProtocol("scm-trainer", spec, ReportPath(name));
      ASSERT_FALSE(reports.empty());
      EXPECT_EQ(reports.back(), Json({{"type", "done"}, {"summary", Json::object()}}));
      for (const int seed : seeds) {
        ExpectSameCheckpoints(name, seed, Alone(seed));
        EXPECT_EQ(Words(reports, RunName(seed)), Words(AloneReports(seed), "")) << name;
      }
    }
  }
}

TEST_F(Packs, OfABaseInFourBitsToo) {
  Json spec = Pack({11, 12}, "nf4");
  Json alone = Solo(12, "nf4-alone");
  alone["parameters"]["lora"]["quantize_base"] = "nf4";
  for (Json& run : spec["runs"]) run["parameters"]["lora"]["quantize_base"] = "nf4";
  spec["parameters"]["lora"]["quantize_base"] = "nf4";
  RunProtocol("scm-trainer", spec, ReportPath("nf4"));
  RunProtocol("scm-trainer", alone, ReportPath("nf4-alone"));
  ExpectSameCheckpoints("nf4", 12, root() + "/nf4-alone");
}

TEST_F(Packs, ARunThatIsStoppedLeavesTheOthersAlone) {
  Json spec = Pack({11, 12, 15}, "aborted", 200);
  ProtocolProcess process("scm-trainer", spec, ReportPath("aborted"));
  ASSERT_TRUE(process.WaitFor([](const Json& r) { return r["type"] == "progress"; }));
  process.Send(R"({"cmd":"stop","run":"r-12","reason":"abort","checkpoint":false})");
  EXPECT_EQ(process.Wait(), 0);
  const auto stopped = process.OfType("stopped");
  ASSERT_EQ(stopped.size(), 1u);
  EXPECT_EQ(stopped[0]["run"], "r-12");
  EXPECT_LT(stopped[0]["step"].get<int>(), 200) << "the run was over before it could be stopped";
  const auto done = process.OfType("done");
  ASSERT_EQ(done.size(), 3u);  // two runs and the process
  EXPECT_FALSE(done[2].contains("run"));
  for (const int seed : {11, 15}) ExpectSameCheckpoints("aborted", seed, Alone(seed, 200));
}

TEST_F(Packs, EachRunResumesFromItsOwnCheckpoint) {
  Json spec = Pack({11, 12, 14, 15}, "resumed");
  const std::map<int, int> from = {{11, 4}, {12, 8}, {14, 12}};
  for (size_t i = 0; i < 3; ++i) {
    const int seed = std::vector<int>{11, 12, 14}[i];
    spec["runs"][i]["resume_from"] = {
        {"step", from.at(seed)},
        {"dir", absl::StrCat(Alone(seed), "/checkpoints/step-", from.at(seed))}};
  }
  const auto reports = RunProtocol("scm-trainer", spec, ReportPath("resumed"));
  for (const int seed : {11, 12, 15}) {
    EXPECT_TRUE(Files(absl::StrCat(root(), "/resumed/", RunName(seed), "/checkpoints/step-12")) ==
                Files(Alone(seed) + "/checkpoints/step-12"))
        << seed;
  }
  EXPECT_EQ(Words(reports, "r-14").size(), 1u);  // done
  EXPECT_EQ(Words(reports, "r-15"), Words(AloneReports(15), ""));
}

TEST_F(Packs, AStopOfTheProcessSavesEveryRun) {
  Json spec = Pack({11, 12}, "stopped", 200);
  ProtocolProcess process("scm-trainer", spec, ReportPath("stopped"));
  ASSERT_TRUE(process.WaitFor([](const Json& r) { return r["type"] == "progress"; }));
  process.Send(R"({"cmd":"stop","reason":"preempt","checkpoint":true})");
  EXPECT_EQ(process.Wait(), 0);
  const auto reports = process.Reports();
  EXPECT_EQ(reports.back()["type"], "stopped");
  EXPECT_FALSE(reports.back().contains("run"));
  EXPECT_TRUE(process.OfType("done").empty());
  Json again = Pack({11, 12}, "again", 200);
  for (Json& run : again["runs"]) {
    for (const Json& saved : process.OfType("checkpoint")) {
      if (saved["run"] != run["id"]) continue;
      run["resume_from"] = {{"step", saved["step"]}, {"dir", saved["dir"]}};
    }
    ASSERT_FALSE(run["resume_from"].is_null());
  }
  RunProtocol("scm-trainer", again, ReportPath("again"));
  for (const int seed : {11, 12}) {
    EXPECT_TRUE(Files(absl::StrCat(root(), "/again/", RunName(seed), "/checkpoints/step-200")) ==
                Files(Alone(seed, 200) + "/checkpoints/step-200"))
        << seed;
  }
}

TEST_F(Packs, AFailureOfOneRunIsItsOwn) {
  Json spec = Pack({11, 12, 15}, "failures");
  Json& absurd = spec["runs"][0]["parameters"]["training"];
  absurd["learning_rate"] = 1e38;
  absurd["warmup_steps"] = 0;
  spec["runs"][1]["resume_from"] = {{"step", 4}, {"dir", root() + "/nowhere"}};
  const auto reports = RunProtocol("scm-trainer", spec, ReportPath("failures"));
  std::map<std::string, std::string> kinds;
  for (const Json& failed : testing::OfType(reports, "failed")) {
    kinds[StringAt(failed, "run")] = StringAt(failed, "kind");
  }
  EXPECT_EQ(kinds,
            (std::map<std::string, std::string>{{"r-11", "diverged"}, {"r-12", "bad_input"}}));
  ExpectSameCheckpoints("failures", 15, Alone(15));
}

struct ShapeCase {
  const char* pointer;  // into the second run
  Json value;
  const char* message;
};

TEST_F(Packs, RunsOfAnotherShapeAreRefusedWithASentence) {
  const ShapeCase cases[] = {
      {"/parameters/data/max_length", 32,
       "r-12 cannot train in one process with r-11: data.max_length is 32 there and 64 here"},
      {"/parameters/data/packing", true, "data.packing is true there and false here"},
      {"/parameters/model/base", "/elsewhere", "model.base is \"/elsewhere\" there"},
      {"/parameters/training/precision", "bf16", "training.precision is \"bf16\" there"},
      {"/parameters/training/loss_on", "all", "training.loss_on is \"all\" there"},
      {"/parameters/lora/quantize_base", "nf4", "lora.quantize_base is \"nf4\" there"},
      {"/id", "r-11", "each run needs an id of its own"},
      {"/id", "../r", "each run needs an id of its own"},
      {"/seed", -1, "run.seed"},
      {"/parameters/training/batch_size", 0, "r-12: parameters.training.batch_size"},
      {"/parameters/lora/target_modules", {"x_proj"}, "x_proj"},
  };
  for (const ShapeCase& c : cases) {
    Json spec = Pack({11, 12}, "shapes");
    spec["runs"][1][Json::json_pointer(c.pointer)] = c.value;
    const auto reports = RunProtocol("scm-trainer", spec, ReportPath("shapes"), 1);
    ASSERT_FALSE(reports.empty()) << c.pointer;
    EXPECT_EQ(reports.back()["type"], "failed") << c.pointer;
    EXPECT_EQ(reports.back()["kind"], "bad_input") << reports.back().dump();
    EXPECT_THAT(StringAt(reports.back(), "message"), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace scm::trainer
