// The section sweep, with its space.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>

#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// `space` alone is searched at random, so that no rungs are needed.
std::string Sweep(const std::string& space, const std::string& more = "search: random") {
  return absl::StrCat(kValid, "sweep:\n  ", more, "\n  space: ", space, "\n");
}

constexpr char kSpace[] = "{training.learning_rate: {log_uniform: [1e-5, 1e-3]}}";

TEST(Space, KeepsEveryKindOfRangeInFileOrder) {
  const ParsedExperiment parsed = Parse(Sweep(
      "{training.learning_rate: {log_uniform: [5.0e-5, 1e-3]}, lora.r: {int_uniform: [4, 64]}, "
      "lora.dropout: {uniform: [0, 0.5]}, training.schedule: {choice: [linear, cosine]}, "
      "lora.target_modules: {choice: [[q_proj], [q_proj, v_proj], all-linear]}, "
      "trainer.parameters.score_tokens: {choice: [1024, auto]}}"));
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  const auto& space = parsed.spec->sweep->space;
  ASSERT_EQ(space.size(), 6u);
  EXPECT_EQ(space[0].first, "training.learning_rate");
  EXPECT_EQ(std::get<LogUniform>(space[0].second).low, 5.0e-5);
  EXPECT_EQ(std::get<LogUniform>(space[0].second).high, 1e-3);
  EXPECT_EQ(std::get<IntUniform>(space[1].second).high, 64);
  EXPECT_EQ(std::get<Uniform>(space[2].second).high, 0.5);
  EXPECT_THAT(std::get<Choice>(space[3].second).values, ElementsAre("linear", "cosine"));
  EXPECT_EQ(std::get<Choice>(space[4].second).values[1], Json::array({"q_proj", "v_proj"}));
  EXPECT_THAT(std::get<Choice>(space[5].second).values, ElementsAre(1024, "auto"));
}

struct RefusedSweep {
  const char* space;
  const char* error;  // part of the only one
};

class SpaceError : public testing::TestWithParam<RefusedSweep> {};

TEST_P(SpaceError, IsReportedOnce) {
  EXPECT_THAT(Errors(Sweep(GetParam().space)), ElementsAre(HasSubstr(GetParam().error)))
      << GetParam().space;
}

const RefusedSweep kRefused[] = {
    {"{}", "f:7: sweep.space: is empty"},
    {"[a]", "sweep.space: expected a section"},
    {"{training.lr: {choice: [1]}}",
     "sweep.space.training.lr: is no parameter that a sweep can vary. Those are "},
    {"{training.learningrate: {choice: [1]}}", "Did you mean training.learning_rate?"},
    {"{learning_rate: {choice: [1]}}", "Did you mean training.learning_rate?"},
    {"{training.max_steps: {choice: [1]}}",
     "sweep.space.training.max_steps: cannot be swept: trials with another max_steps"},
    {"{training.loss_on: {choice: [all]}}", "training.loss_on: cannot be swept"},
    {"{data.max_length: {choice: [1]}}", "is no parameter that a sweep can vary"},
    {"{training.learning_rate: 5}", "expected one of log_uniform: [low, high]"},
    {"{training.learning_rate: {choice: [1], uniform: [1, 2]}}", "expected one of log_uniform"},
    {"{training.learning_rate: {loguniform: [1, 2]}}", "Did you mean log_uniform?"},
    {"{training.learning_rate: {normal: [1, 2]}}", "normal is known but not supported yet"},
    {"{training.learning_rate: {log_uniform: [0, 1]}}", "log_uniform needs a low end above 0"},
    {"{training.learning_rate: {log_uniform: [-1, 1]}}", "log_uniform needs a low end above 0"},
    {"{training.learning_rate: {log_uniform: [0.1, 0.1]}}",
     "the low end 0.1 must be below the high end 0.1"},
    {"{training.learning_rate: {uniform: [2, 1]}}", "the low end 2 must be below the high end 1"},
    {"{training.learning_rate: {uniform: [1]}}", "expected uniform: [1.0e-5, 1.0e-3]"},
    {"{training.learning_rate: {uniform: [a, b]}}", "the lowest and the highest number"},
    {"{training.learning_rate: {uniform: [0, 1]}}", "expected a number above 0, found 0"},
    {"{lora.dropout: {uniform: [0, 1]}}", "expected a number from 0 to below 1, found 1"},
    {"{training.batch_size: {uniform: [1, 2]}}", "takes whole numbers; use int_uniform"},
    {"{training.batch_size: {int_uniform: [0, 2]}}", "expected a whole number from 1 to"},
    {"{training.batch_size: {int_uniform: [1.5, 2]}}", "the lowest and the highest whole number"},
    {"{training.batch_size: {choice: [2, 4.5]}}", "expected a whole number from 1 to"},
    {"{training.batch_size: {choice: [2, 2]}}", "2 is listed twice"},
    {"{training.batch_size: {choice: []}}", "expected choice: [2, 4, 8]"},
    {"{training.batch_size: {choice: 2}}", "expected choice: [2, 4, 8]"},
    {"{training.schedule: {uniform: [1, 2]}}", "takes no number; use choice"},
    {"{training.schedule: {choice: [linaer]}}", "Did you mean linear?"},
    {"{lora.target_modules: {choice: [q_proj]}}", "expected a list of q_proj"},
    {"{training.warmup_steps: {choice: [1, 2001]}}",
     "sweep.space.training.warmup_steps: 2001 is more than training.max_steps (2000)"},
    {"{training.warmup_steps: {int_uniform: [1, 2001]}}", "is more than training.max_steps"},
    {"{lora.r: {choice: [1]}, lora.r: {choice: [2]}}", "sweep.space.lora.r: given twice"},
};
INSTANTIATE_TEST_SUITE_P(All, SpaceError, testing::ValuesIn(kRefused));

TEST(Space, IsRequired) {
  EXPECT_THAT(Errors(absl::StrCat(kValid, "sweep: {search: random}\n")),
              ElementsAre(HasSubstr("f:5: sweep.space: missing.")));
}

TEST(Space, OfAnotherTrainerMayHoldWhatItUnderstands) {
  const ParsedExperiment parsed = Parse(absl::StrCat(
      kValidCustom,
      "sweep: {search: random, metric: reward, mode: max, space: {lora.anything: {choice: [a, {b: "
      "1}]},"
      " data.mix.legal: {uniform: [-1, 1]}, trainer.parameters.depth: {int_uniform: [-2, 2]}}}\n"));
  EXPECT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->sweep->metric, "reward");
  EXPECT_THAT(Errors(absl::StrCat(kValidCustom,
                                  "sweep: {search: random, space: {model.base: {choice: [a]}}}\n")),
              ElementsAre(HasSubstr("is no parameter that a sweep can vary")));
  EXPECT_THAT(Errors(absl::StrCat(kValidCustom,
                                  "sweep: {search: random, space: {lora.: {choice: [a]}}}\n")),
              ElementsAre(HasSubstr("is no parameter that a sweep can vary")));
}

TEST(Rungs, AreValidationStepsInOrderWithinTheRun) {
  const auto errors_of = [](const std::string& rungs) {
    return Errors(Sweep(kSpace, "rungs: " + rungs));
  };
  EXPECT_THAT(errors_of("[50]"), IsEmpty());
  EXPECT_THAT(errors_of("[100, 300, 2000]"), IsEmpty());
  EXPECT_THAT(errors_of("[120]"),
              ElementsAre("f:6: sweep.rungs: 120 is no validation step (eval_steps is 50). Use 100 "
                          "or 150"));
  EXPECT_THAT(errors_of("[20]"), ElementsAre(HasSubstr("(eval_steps is 50). Use 50")));
  EXPECT_THAT(errors_of("[300, 100]"),
              ElementsAre("f:6: sweep.rungs: rungs must ascend, but 100 follows 300"));
  EXPECT_THAT(errors_of("[100, 2050]"),
              ElementsAre("f:6: sweep.rungs: 2050 is beyond training.max_steps (2000)"));
  EXPECT_THAT(errors_of("[100, 100]"), ElementsAre(HasSubstr("100 is listed twice")));
  EXPECT_THAT(errors_of("[0, 100]"), ElementsAre(HasSubstr("expected a whole number from 1 on")));
  EXPECT_THAT(errors_of("[]"), ElementsAre(HasSubstr("asha compares trials at rungs")));
  EXPECT_THAT(errors_of("100"), ElementsAre(HasSubstr("expected a list like [11, 12]")));
  EXPECT_THAT(errors_of("[120, 110, 2051]"),
              ElementsAre(HasSubstr("120 is no validation step"),
                          HasSubstr("110 is no validation step"), HasSubstr("must ascend"),
                          HasSubstr("2051 is no validation step"), HasSubstr("2051 is beyond")));
}

TEST(Rungs, AreNeededByAshaAndUnusedElsewhere) {
  EXPECT_THAT(Errors(Sweep(kSpace, "search: asha")),
              ElementsAre(HasSubstr("f:5: sweep.rungs: missing.")));
  const ParsedExperiment parsed = Parse(Sweep(kSpace, "search: grid\n  rungs: [100]"));
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_THAT(parsed.spec->sweep->rungs, IsEmpty());
  EXPECT_THAT(
      Lines(parsed.warnings),
      ElementsAre("f:7: sweep.rungs: grid does not use rungs; every trial runs to max_steps"));
}

TEST(Search, IsKnown) {
  const auto errors_of = [](const std::string& more) { return Errors(Sweep(kSpace, more)); };
  EXPECT_THAT(errors_of("search: tpe"),
              ElementsAre("f:6: sweep.search: tpe is known but not supported yet. Use asha, random "
                          "or grid"));
  EXPECT_THAT(errors_of("search: hyperband"), ElementsAre(HasSubstr("not supported yet")));
  EXPECT_THAT(errors_of("search: gird"), ElementsAre(HasSubstr("Did you mean grid?")));
  EXPECT_THAT(errors_of("{search: random, eta: 1}"), testing::Not(IsEmpty()));
  EXPECT_THAT(errors_of("search: random\n  eta: 1"),
              ElementsAre(HasSubstr("sweep.eta: expected a whole number from 2")));
  EXPECT_THAT(errors_of("search: random\n  max_trials: 0"),
              ElementsAre(HasSubstr("sweep.max_trials: expected a whole number from 1")));
}

TEST(Metric, HasABetterEnd) {
  const auto errors_of = [](const std::string& more) {
    return Errors(Sweep(kSpace, "search: random\n  " + more));
  };
  EXPECT_THAT(errors_of("metric: val_loss"), ElementsAre(HasSubstr("\"val_loss\" is not known.")));
  EXPECT_THAT(errors_of("mode: max"),
              ElementsAre("f:7: sweep.mode: max would pick the worst trial: validation_loss needs "
                          "mode min"));
  EXPECT_THAT(errors_of("metric: validation_accuracy\n  mode: min"),
              ElementsAre(HasSubstr("validation_accuracy needs mode max")));
  EXPECT_THAT(errors_of("mode: smallest"), ElementsAre(HasSubstr("Expected min or max")));
  const ParsedExperiment parsed =
      Parse(Sweep(kSpace, "search: random\n  metric: validation_accuracy"));
  EXPECT_EQ(parsed.spec->sweep->mode, "max");
}

TEST(Metric, OfAnotherTrainerHasAnyNameWhoseBetterEndIsSaid) {
  const auto parse = [](const std::string& keys) {
    return Parse(absl::StrCat(kValidCustom, "sweep: {search: random, ", keys,
                              ", space: {training.learning_rate: {choice: [0.1, 0.2]}}}\n"));
  };
  for (const char* name : {"zscore", "eval/f1", "perplexity", "'1'", "validation_loss"}) {
    for (const char* mode : {"min", "max"}) {
      if (std::string(name) == "validation_loss" && std::string(mode) == "max") continue;
      const ParsedExperiment parsed = parse(absl::StrCat("metric: ", name, ", mode: ", mode));
      EXPECT_THAT(Lines(parsed.errors), IsEmpty()) << name;
      EXPECT_THAT(Lines(parsed.warnings),
                  testing::Not(testing::Contains(HasSubstr("sweep.metric"))));
    }
  }
  EXPECT_THAT(Lines(parse("metric: f1").warnings),
              testing::Contains(HasSubstr("sweep.metric: the trial with the lowest f1 wins; write "
                                          "mode: min to say so, or mode: max")));
  EXPECT_THAT(Lines(parse(absl::StrCat("mode: min, metric: ", std::string(65, 'x'))).errors),
              ElementsAre(HasSubstr("at most 64 characters, this one has 65")));
}

TEST(Seed, IsTheSmallestThatNoReplicateHas) {
  const auto seed_of = [](const std::string& seeds) {
    return Parse(absl::StrCat("name: t\nmodel: {base: m.gguf}\ndata: {corpus: c}\n",
                              "sweep: {search: random, space: ", kSpace, "}\n",
                              "replicate: {seeds: ", seeds, "}\n"))
        .spec->sweep->seed;
  };
  EXPECT_EQ(seed_of("[11, 12]"), 1);
  EXPECT_EQ(seed_of("[3, 1, 2]"), 4);
  EXPECT_EQ(seed_of("[0, 2]"), 1);
}

TEST(Seed, IsNoReplicateSeed) {
  EXPECT_THAT(
      Errors(Sweep(kSpace, "search: random\n  seed: 12")),
      ElementsAre("f:7: sweep.seed: 12 is one of replicate.seeds, which must be fresh. Use 1"));
}

TEST(Trials, TooFewForTheSearchAreAWarning) {
  EXPECT_THAT(Warnings(Sweep(kSpace, "rungs: [100]\n  max_trials: 2")),
              ElementsAre(HasSubstr("f:7: sweep.max_trials: with fewer trials than eta (3)")));
  EXPECT_THAT(Warnings(Sweep("{lora.r: {choice: [1, 2, 3]}, lora.alpha: {choice: [1, 2]}}",
                             "search: grid\n  max_trials: 5")),
              ElementsAre(HasSubstr("the grid has 6 points; the first 5 of them are tried")));
  EXPECT_THAT(Warnings(Sweep("{lora.r: {choice: [1, 2, 3]}, lora.alpha: {choice: [1, 2]}}",
                             "search: grid\n  max_trials: 6")),
              IsEmpty());
}

}  // namespace
}  // namespace scm
