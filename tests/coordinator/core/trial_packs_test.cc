// Which trials share a process: by the file and the points alone.
#include "coordinator/core/trial_packs.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/search/sampling.h"
#include "experiment/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kBuiltIn[] = "[scm-trainer]";
constexpr char kOwn[] = "[python3, train.py]";

ExperimentSpec SweepOf(const std::string& packing, const std::string& space,
                       const std::string& trainer = kBuiltIn) {
  const ParsedExperiment parsed = ParseExperiment(
      absl::StrCat("name: t\nmodel: {base: /m.gguf}\ndata: {corpus: /c}\ntrainer: {command: ",
                   trainer, "}\nsweep: {search: grid, seed: 1, max_trials: 100, ", packing,
                   "space: {", space, "}}\n"),
      {.base_directory = "/", .check_paths = false});
  for (const Diagnostic& error : parsed.errors) ADD_FAILURE() << FormatDiagnostic("spec", error);
  return parsed.spec.value_or(ExperimentSpec());
}

// "0 1|2 3": a task's trials each.
std::string TasksOf(const ExperimentSpec& spec) {
  std::vector<std::string> tasks;
  for (const std::vector<size_t>& pack : PacksOfTrials(spec, search::SamplePoints(*spec.sweep))) {
    tasks.push_back(absl::StrJoin(pack, " "));
  }
  return absl::StrJoin(tasks, "|");
}

TEST(TrialPacks, AreOfTrialsThatAgreeInWhatAProcessShares) {
  const std::string rates = "training.learning_rate: {choice: [1.0e-4, 2.0e-4, 3.0e-4]}";
  const std::string precision = "training.precision: {choice: [bf16, fp32]}";
  const std::string tokens = "trainer.parameters.score_tokens: {choice: [1024, 2048, 4096]}";
  const struct {
    const char* what;
    std::string packing, space;
    const char* trainer;
    const char* tasks;
  } rows[] = {
      {"not asked for", "", rates, kBuiltIn, "0|1|2"},
      {"refused", "packed: false, ", rates, kBuiltIn, "0|1|2"},
      {"nobody decided", "packed: auto, ", rates, kBuiltIn, "0|1|2"},
      {"all", "packed: true, ", rates, kBuiltIn, "0 1 2"},
      {"two at most", "packed: true, pack_size: 2, ", rates, kBuiltIn, "0|1 2"},
      {"any adapter and batch", "packed: true, ",
       "lora.r: {choice: [4, 8]}, training.batch_size: {choice: [2, 4]}", kBuiltIn, "0 1 2 3"},
      {"by precision", "packed: true, ", absl::StrCat(rates, ", ", precision), kBuiltIn,
       "0 2 4|1 3 5"},
      {"by precision, two at most", "packed: true, pack_size: 2, ",
       absl::StrCat(rates, ", ", precision), kBuiltIn, "0|1|2 4|3 5"},
      {"each its own validation", "packed: true, ", tokens, kBuiltIn, "0|1|2"},
      {"parameters of another's trainer", "packed: true, ", tokens, kOwn, "0 1 2"},
      {"precision of another's trainer", "packed: true, ", precision, kOwn, "0|1"},
      {"data of another's trainer", "packed: true, ", "data.window: {choice: [1, 2]}", kOwn, "0|1"},
      {"adapters of another's trainer", "packed: true, ", "lora.anything: {choice: [1, 2]}", kOwn,
       "0 1"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(TasksOf(SweepOf(row.packing, row.space, row.trainer)), row.tasks);
  }
}

TEST(TrialPacks, AreOfAboutEqualSizeAndHoldEveryTrialOnce) {
  ExperimentSpec spec = SweepOf("packed: true, ", "training.batch_size: {int_uniform: [1, 100]}");
  std::vector<Json> points = search::SamplePoints(*spec.sweep);
  for (size_t trials = 0; trials <= points.size(); ++trials) {
    for (const int64_t size : {2, 3, 7, 16, 256}) {
      spec.sweep->pack_size = size;
      const Packs packs = PacksOfTrials(spec, {points.begin(), points.begin() + trials});
      const size_t most = static_cast<size_t>(size);
      EXPECT_EQ(packs.size(), (trials + most - 1) / most);
      std::vector<size_t> all;
      size_t least = trials;
      for (const std::vector<size_t>& pack : packs) {
        EXPECT_LE(pack.size(), most);
        least = std::min(least, pack.size());
        all.insert(all.end(), pack.begin(), pack.end());
      }
      for (const std::vector<size_t>& pack : packs) EXPECT_LE(pack.size(), least + 1);
      std::vector<size_t> in_order(trials);
      for (size_t i = 0; i < trials; ++i) in_order[i] = i;
      EXPECT_EQ(all, in_order);
    }
  }
}

TEST(TrialPacks, ThePartingParametersAreNamed) {
  EXPECT_THAT(PartingParameters(SweepOf("", "lora.r: {choice: [4, 8]}")), IsEmpty());
  EXPECT_THAT(
      PartingParameters(SweepOf("",
                                "trainer.parameters.score_tokens: {choice: [1, 2]}, lora.r: "
                                "{choice: [4, 8]}, training.precision: {choice: [bf16, fp32]}")),
      ElementsAre("trainer.parameters.score_tokens", "training.precision"));
}

}  // namespace
}  // namespace scm::core
