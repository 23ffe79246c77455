// scm-evaluator as a process, on checkpoints that scm-trainer made.
#include <map>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::evaluator {
namespace {

using ::testing::HasSubstr;
using testing::OfType;
using testing::ProtocolProcess;
using testing::RunProtocol;
using testing::TinySpec;

class EvaluatorProcess : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new testing::TemporaryDirectory();
    testing::WriteTinyModel(root() + "/model", 1);
    testing::WriteTinyModel(root() + "/other", 2);
    testing::WriteTinyCorpus(root() + "/corpus");
    for (const int seed : {11, 12}) {
      const std::string name = absl::StrCat("seed", seed);
      Json spec = TinySpec(root(), "train", name);
      spec["run"]["seed"] = seed;
      RunProtocol("scm-trainer", spec, root() + "/" + name + ".jsonl");
    }
  }
  static void TearDownTestSuite() {
    delete directory_;
    directory_ = nullptr;
  }
  static std::string root() { return directory_->path(); }

  static Json Spec(const std::string& kind, const std::string& work_dir) {
    Json spec = TinySpec(root(), kind, work_dir);
    spec["run"] = nullptr;
    for (const int seed : {11, 12}) {
      spec["inputs"].push_back(
          {{"kind", "checkpoint"},
           {"run", absl::StrCat("r-", seed)},
           {"seed", seed},
           {"step", 12},
           {"dir", absl::StrCat(root(), "/seed", seed, "/checkpoints/step-12")}});
    }
    return spec;
  }

 private:
  static testing::TemporaryDirectory* directory_;
};

testing::TemporaryDirectory* EvaluatorProcess::directory_ = nullptr;

TEST_F(EvaluatorProcess, ScoresBaseSeedsAndBaselines) {
  Json spec = Spec("evaluate", "evaluate");
  Json& evaluation = spec["parameters"]["evaluation"];
  evaluation["primary"] = {{"task", "letters"}, {"baseline", "plain"}};
  evaluation["baselines"] = {{{"name", "plain"}, {"model", root() + "/model"}},
                             {{"name", "other"}, {"model", root() + "/other"}},
                             {{"name", "lost"}, {"model", root() + "/nowhere"}},
                             {{"name", "gpt"}, {"predictions", root() + "/none.jsonl"}}};
  const auto reports = RunProtocol("scm-evaluator", spec, root() + "/evaluate.jsonl");
  ASSERT_EQ(reports.back()["type"], "done") << reports.back().dump();
  EXPECT_EQ(reports.back()["summary"]["models"], 6);
  const int64_t items = reports.back()["summary"]["items"].get<int64_t>();
  EXPECT_FALSE(OfType(reports, "progress").empty());
  const auto artifacts = OfType(reports, "artifact");
  ASSERT_EQ(artifacts.size(), 1u);
  EXPECT_EQ(artifacts[0]["name"], "evaluation");
  const auto parsed =
      ParseJson(ReadFile(StringAt(artifacts[0], "path")).value_or(""), "evaluation");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Json& json = *parsed;
  EXPECT_EQ(json["demonstration"], true);
  ASSERT_EQ(json["models"].size(), 6u);
  EXPECT_EQ(json["models"][0]["name"], "plain");  // the base under its baseline's name
  EXPECT_EQ(json["models"][0]["kind"], "base");
  EXPECT_EQ(json["models"][1]["name"], "seed 11");
  EXPECT_EQ(json["models"][3]["kind"], "model");
  EXPECT_THAT(StringAt(json["models"][4], "missing"), HasSubstr("nowhere"));
  EXPECT_THAT(StringAt(json["models"][5], "missing"), HasSubstr("none.jsonl"));
  int64_t counted = 0;
  for (const Json& task : json["tasks"]) {
    counted += static_cast<int64_t>(task["items"].size());
    for (const char* model : {"plain", "seed 11", "seed 12", "other"}) {
      const Json& scores = json["scores"][model][StringAt(task, "name")];
      EXPECT_EQ(scores["correct"].size(), task["items"].size());
      EXPECT_EQ(scores["predicted"].size(), task["items"].size());
      EXPECT_EQ(scores["log_likelihood"][0].size(), task["items"][0]["choices"].get<size_t>());
    }
  }
  EXPECT_EQ(counted, items);
  EXPECT_FALSE(json["scores"].contains("gpt"));
  // Models differ, so no adapter stayed in from another one.
  EXPECT_NE(json["scores"]["plain"], json["scores"]["seed 11"]);
  EXPECT_NE(json["scores"]["seed 12"], json["scores"]["seed 11"]);
  EXPECT_NE(json["scores"]["plain"], json["scores"]["other"]);
  // Fewer items than samples: they take turns, so that the 95th percentile can be certified.
  EXPECT_LT(json["tasks"][0]["items"].size(), 130u);
  EXPECT_EQ(json["latency"]["seed 11"]["samples"].size(), 130u);
  EXPECT_EQ(json["latency"]["plain"]["samples"].size(), 30u);
  EXPECT_FALSE(json["latency"].contains("seed 12"));
  EXPECT_EQ(json["tasks"][0]["items"][0]["texts"], Json({"aa", "bb", "cc"}));
  // Four models are run; predictions and a model that cannot be loaded are not.
  const Json last = OfType(reports, "progress").back();
  EXPECT_EQ(last["step"].get<int64_t>(), 4 * items);
  EXPECT_EQ(last["metrics"]["total"].get<int64_t>(), 5 * items);
  if (!json["memory"]["inference_peak_rss_bytes"].is_null()) {
    EXPECT_LE(json["memory"]["inference_peak_rss_bytes"].get<int64_t>(),
              json["memory"]["peak_rss_bytes"].get<int64_t>());
  }
  EXPECT_GT(json["memory"]["peak_rss_bytes"].get<int64_t>(),
            json["memory"]["model_bytes"].get<int64_t>());
  EXPECT_GT(json["answer_chance_loss"].get<double>(), 0);
}

TEST_F(EvaluatorProcess, RepeatsItselfBitForBitInAnyOrderOfSeeds) {
  Json forth = Spec("evaluate", "forth"), back = Spec("evaluate", "back");
  std::swap(back["inputs"][0], back["inputs"][1]);
  RunProtocol("scm-evaluator", forth, root() + "/forth.jsonl");
  RunProtocol("scm-evaluator", back, root() + "/back.jsonl");
  const auto x = ParseJson(ReadFile(root() + "/forth/evaluation.json").value(), "forth");
  const auto y = ParseJson(ReadFile(root() + "/back/evaluation.json").value(), "back");
  for (const char* model : {"base", "seed 11", "seed 12"}) {
    EXPECT_EQ((*x)["scores"][model], (*y)["scores"][model]) << model;
    EXPECT_EQ((*x)["loss"][model], (*y)["loss"][model]) << model;
  }
}

// What an experiment's evaluation is made of: the same bits as in one process, from tasks that know
// one model each.
TEST_F(EvaluatorProcess, PartsScoreLikeTheWhole) {
  Json whole = Spec("evaluate", "whole");
  whole["parameters"]["evaluation"]["baselines"] = {
      {{"name", "other"}, {"model", root() + "/other"}},
      {{"name", "gpt"}, {"predictions", root() + "/none.jsonl"}}};
  RunProtocol("scm-evaluator", whole, root() + "/whole.jsonl");
  const auto all = ParseJson(ReadFile(root() + "/whole/evaluation.json").value(), "whole");
  const struct {
    const char* name;
    Json evaluate, inputs;
    std::vector<std::string> models;
    int64_t runs;  // models that are run
  } parts[] = {
      {"p0", {{"base", true}, {"baselines", {"gpt"}}}, Json::array(), {"base", "gpt"}, 1},
      {"p1", {{"base", false}, {"latency", false}}, {whole["inputs"][1]}, {"seed 12"}, 1},
      {"p2", {{"base", false}, {"baselines", {"other"}}}, Json::array(), {"other"}, 1},
  };
  for (const auto& part : parts) {
    Json spec = whole;
    spec["work_dir"] = absl::StrCat(root(), "/", part.name);
    spec["evaluate"] = part.evaluate;
    spec["inputs"] = part.inputs;
    const auto reports =
        RunProtocol("scm-evaluator", spec, absl::StrCat(root(), "/", part.name, ".jsonl"));
    ASSERT_EQ(reports.back()["type"], "done") << reports.back().dump();
    const auto json = ParseJson(
        ReadFile(absl::StrCat(root(), "/", part.name, "/evaluation.json")).value(), part.name);
    ASSERT_TRUE(json.ok()) << json.status();
    std::vector<std::string> names;
    for (const Json& model : (*json)["models"]) names.push_back(StringAt(model, "name"));
    EXPECT_EQ(names, part.models);
    EXPECT_EQ((*json)["tasks"], (*all)["tasks"]);
    for (const std::string& name : part.models) {
      EXPECT_EQ(MemberAt((*json)["scores"], name), MemberAt((*all)["scores"], name)) << name;
      EXPECT_EQ(MemberAt((*json)["loss"], name), MemberAt((*all)["loss"], name)) << name;
    }
    const Json last = OfType(reports, "progress").back();
    EXPECT_EQ(last["metrics"]["total"].get<int64_t>(),
              part.runs * reports.back()["summary"]["items"].get<int64_t>());
    EXPECT_EQ((*json)["latency"].size(), part.name == std::string("p0") ? 1u : 0u);
  }
}

// One weight of a model is NaN: it has no answers, and the file says why. The others have theirs.
TEST_F(EvaluatorProcess, AModelWhoseWeightsAreNoNumbersIsMissingWithTheReason) {
  testing::WriteTinyModel(root() + "/broken", 3);
  const std::string weights = root() + "/broken/model.safetensors";
  std::string bytes = ReadFile(weights).value();
  bytes.replace(bytes.size() - 4, 4, std::string("\0\0\xc0\x7f", 4));  // NaN, little-endian
  ASSERT_TRUE(WriteFileAtomically(weights, bytes).ok());
  Json spec = Spec("evaluate", "nan");
  spec["parameters"]["evaluation"]["baselines"] = {
      {{"name", "bad"}, {"model", root() + "/broken"}},
      {{"name", "good"}, {"model", root() + "/other"}}};
  const auto reports = RunProtocol("scm-evaluator", spec, root() + "/nan.jsonl");
  ASSERT_EQ(reports.back()["type"], "done") << reports.back().dump();
  const auto json = ParseJson(ReadFile(root() + "/nan/evaluation.json").value(), "nan");
  ASSERT_TRUE(json.ok()) << json.status();
  std::map<std::string, std::string> missing;
  for (const Json& model : (*json)["models"]) {
    missing[StringAt(model, "name")] = StringAt(model, "missing");
  }
  EXPECT_THAT(missing["bad"], HasSubstr("log-likelihoods, in "));
  EXPECT_THAT(missing["bad"], HasSubstr("are no finite numbers (first: item "));
  EXPECT_EQ(missing["good"], "");
  EXPECT_FALSE((*json)["scores"].contains("bad"));
  EXPECT_FALSE((*json)["loss"].contains("bad"));
  EXPECT_TRUE((*json)["scores"].contains("good"));
}

// A kill leaves a half-written evaluation behind; the next attempt does not care.
TEST_F(EvaluatorProcess, StartsAgainOverWhatAKilledAttemptLeft) {
  Json spec = Spec("evaluate", "again");
  RunProtocol("scm-evaluator", spec, root() + "/again.jsonl");
  const std::string path = root() + "/again/evaluation.json";
  const auto first = ParseJson(ReadFile(path).value(), "first");
  ASSERT_TRUE(WriteFileAtomically(path, "{\"version\": 1, \"tasks\": [").ok());
  const auto reports = RunProtocol("scm-evaluator", spec, root() + "/again2.jsonl");
  EXPECT_EQ(reports.back()["type"], "done");
  const auto second = ParseJson(ReadFile(path).value(), "second");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*first)["scores"], (*second)["scores"]);
  EXPECT_EQ((*first)["loss"], (*second)["loss"]);
}

TEST_F(EvaluatorProcess, StopsWhenAsked) {
  Json spec = Spec("evaluate", "stopped");
  spec["parameters"]["trainer"]["parameters"]["score_tokens"] = 1;
  ProtocolProcess process("scm-evaluator", spec, root() + "/stopped.jsonl");
  ASSERT_TRUE(process.WaitFor([](const Json& r) { return r["type"] == "progress"; }));
  process.Send(R"({"cmd":"stop","reason":"cancel"})");
  EXPECT_EQ(process.Wait(), 0);
  const std::string last = StringAt(process.Reports().back(), "type");
  EXPECT_TRUE(last == "stopped" || last == "done") << last;  // a stop may come too late
}

TEST_F(EvaluatorProcess, FailsOnATaskWithoutTestItems) {
  Json spec = Spec("evaluate", "fails");
  spec["parameters"]["evaluation"]["tasks"] = {"letters", "poetry"};
  const auto reports = RunProtocol("scm-evaluator", spec, root() + "/fails.jsonl", 1);
  EXPECT_EQ(reports.back()["kind"], "bad_input");
  EXPECT_THAT(StringAt(reports.back(), "message"), HasSubstr("poetry"));
}

TEST_F(EvaluatorProcess, MergedExportScoresLikeItsSeed) {
  const auto exported =
      RunProtocol("scm-trainer", Spec("export", "export"), root() + "/export.jsonl");
  ASSERT_EQ(exported.back()["type"], "done") << exported.back().dump();
  EXPECT_EQ(exported.back()["summary"]["formats"].dump(), R"(["peft","merged"])");
  const auto artifacts = OfType(exported, "artifact");
  ASSERT_EQ(artifacts.size(), 2u);
  EXPECT_EQ(artifacts[0]["name"], "adapter");
  EXPECT_EQ(artifacts[1]["name"], "merged");
  Json spec = Spec("evaluate", "merged");
  spec["parameters"]["evaluation"]["baselines"] = {
      {{"name", "merged"}, {"model", StringAt(artifacts[1], "path")}}};
  RunProtocol("scm-evaluator", spec, root() + "/merged.jsonl");
  const auto json = ParseJson(ReadFile(root() + "/merged/evaluation.json").value(), "merged");
  ASSERT_TRUE(json.ok());
  const std::string seed = absl::StrCat("seed ", exported.back()["summary"]["seed"].get<int64_t>());
  for (const char* task : {"letters", "digits", "sets"}) {
    const Json& x = (*json)["scores"]["merged"][task]["log_likelihood"];
    const Json& y = (*json)["scores"][seed][task]["log_likelihood"];
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t c = 0; c < x[i].size(); ++c) {
        EXPECT_NEAR(x[i][c].get<double>(), y[i][c].get<double>(), 1e-3) << task << " item " << i;
      }
    }
  }
}

}  // namespace
}  // namespace scm::evaluator
