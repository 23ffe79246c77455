// How the trials of a sweep share processes, as `plan` says it, and what `auto` comes to.
#include "scmctl/trial_packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "experiment/parse.h"
#include "tests/model/smollm2_shape.h"

namespace scm::ctl {
namespace {

ExperimentSpec SpecOf(const std::string& packing, const std::string& space,
                      const std::string& trainer = "[scm-trainer]") {
  const ParsedExperiment parsed = ParseExperiment(
      absl::StrCat("name: t\nmodel: {base: /m.gguf}\ndata: {corpus: /c, max_length: 128}\n",
                   "training: {precision: fp32}\ntrainer: {command: ", trainer,
                   "}\nsweep: {search: random, seed: 1, max_trials: 16, ", packing, "space: {",
                   space, "}}\n"),
      {.base_directory = "/", .check_paths = false});
  for (const Diagnostic& error : parsed.errors) ADD_FAILURE() << FormatDiagnostic("spec", error);
  return parsed.spec.value_or(ExperimentSpec());
}

constexpr char kRates[] = "training.learning_rate: {log_uniform: [1.0e-5, 1.0e-3]}";
constexpr char kRanks[] =
    "training.learning_rate: {log_uniform: [1.0e-5, 1.0e-3]}, lora.r: {choice: [1024, 2048]}";
constexpr char kPrecision[] =
    "training.learning_rate: {log_uniform: [1.0e-5, 1.0e-3]}, training.precision: {choice: [bf16, "
    "fp32]}";
constexpr char kTokens[] = "trainer.parameters.score_tokens: {int_uniform: [1000, 100000]}";

TEST(TrialPacking, IsSaidAndDecided) {
  const model::LlamaConfig base = model::SmolLM2Shape();
  const struct {
    const char *what, *packing, *space;
    const model::LlamaConfig* base;
    std::optional<bool> packed;
    std::string text;  // a regular expression
  } rows[] = {
      {"off", "", kRates, &base, false, ""},
      {"asked for", "packed: true, ", kRates, &base, true,
       "the 16 trials train in one process: together they need about [0-9.]+ GB, [0-9.]+ times the "
       "[0-9.]+ GB of one"},
      {"in two", "packed: true, pack_size: 9, ", kRates, &base, true,
       "the 16 trials train in 2 processes of up to 8: 8 of them need about .*"},
      {"the base cannot be read", "packed: true, ", kRates, nullptr, true,
       "the 16 trials train in one process"},
      {"nobody can decide", "packed: auto, ", kRates, nullptr, std::nullopt, ""},
      {"as many as fit", "packed: auto, ", kRates, &base, true,
       "the 16 trials train in [0-9] processes of up to [0-9] \\(sweep.packed: auto\\): [0-9] of "
       "them need about [0-9.]+ GB, 1\\.[0-3][0-9] times the [0-9.]+ GB of one, and up to 1.35 "
       "times they are packed"},
      {"too large", "packed: auto, ", kRanks, &base, false,
       "the 16 trials train in a process each \\(sweep.packed: auto\\): 2 of them need about .*, "
       "and up to 1.35 times they are packed"},
      {"one trial", "packed: auto, ", "lora.r: {choice: [4]}", &base, false,
       "there is one trial: nothing to pack"},
      {"by precision", "packed: true, ", kPrecision, nullptr, true,
       "the 16 trials train in 2 processes of up to [0-9]+; those that differ in "
       "training.precision "
       "cannot share one"},
      {"each its own validation", "packed: true, ", kTokens, &base, true,
       "the 16 trials train in a process each; those that differ in "
       "trainer.parameters.score_tokens cannot share one"},
      {"and nothing for auto to choose", "packed: auto, ", kTokens, &base, false,
       "the 16 trials train in a process each \\(sweep.packed: auto\\); those that differ in "
       "trainer.parameters.score_tokens cannot share one"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    ExperimentSpec spec = SpecOf(row.packing, row.space);
    EXPECT_THAT(PackTrials(row.base, spec), testing::MatchesRegex(row.text));
    EXPECT_EQ(spec.sweep->packed, row.packed);
  }
}

TEST(TrialPacking, AutoTakesTheLargestSizeThatFits) {
  const model::LlamaConfig base = model::SmolLM2Shape();
  ExperimentSpec spec = SpecOf("packed: auto, ", kRates);
  const std::string decided = PackTrials(&base, spec);
  const int64_t size = spec.sweep->pack_size;
  ASSERT_GT(size, 1);
  ASSERT_LT(size, 16);
  // What is decided stands in the file, and is decided no more.
  ExperimentSpec again = spec;
  EXPECT_THAT(absl::StrReplaceAll(decided, {{" (sweep.packed: auto)", ""}}),
              testing::StartsWith(PackTrials(&base, again)));
  EXPECT_EQ(again.sweep->pack_size, size);
  // No more than the file allows.
  ExperimentSpec fewer = SpecOf("packed: auto, pack_size: 2, ", kRates);
  PackTrials(&base, fewer);
  EXPECT_EQ(fewer.sweep->packed, true);
  EXPECT_EQ(fewer.sweep->pack_size, 2);
}

TEST(TrialPacking, IsOfTheStageSweep) {
  const model::LlamaConfig base = model::SmolLM2Shape();
  ExperimentSpec spec = SpecOf("packed: auto, ", kRates);
  std::erase(spec.stages, StageKind::kSweep);
  EXPECT_EQ(PackTrials(&base, spec), "");
  spec.sweep.reset();
  EXPECT_EQ(PackTrials(&base, spec), "");
}

}  // namespace
}  // namespace scm::ctl
