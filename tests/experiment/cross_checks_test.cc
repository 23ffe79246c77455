// What has to hold between two keys, and what is only worth a warning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> ErrorsWith(const std::string& added) {
  return Errors(absl::StrCat(kValid, added));
}
std::vector<std::string> WarningsWith(const std::string& added) {
  return Warnings(absl::StrCat(kValid, added));
}

TEST(Warmup, FitsIntoTheRun) {
  EXPECT_THAT(ErrorsWith("training: {max_steps: 50, warmup_steps: 51}\ncheck: {steps: 5}\n"),
              ElementsAre("f:5: training.warmup_steps: 51 is more than max_steps (50). Use at most "
                          "that, usually a tenth of it"));
  EXPECT_THAT(ErrorsWith("training: {max_steps: 50, warmup_steps: 50}\n"), IsEmpty());
}

TEST(PackedSeeds, AreForTheBuiltInTrainerAndForOnesOwn) {
  const std::string seeds = "{seeds: [11, 12], packed: true}\n";
  const std::string built_in = "name: a\nmodel: {base: m.gguf}\ndata: {corpus: c}\nreplicate: ";
  EXPECT_THAT(Errors(built_in + seeds), IsEmpty());
  const std::string own = "name: a\ntrainer: {command: [python3, train.py]}\nreplicate: ";
  const ParsedExperiment parsed = Parse(own + seeds);
  EXPECT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->replicate.packed, true);
  EXPECT_EQ(Parse(own + "{seeds: [11]}\n").spec->replicate.packed, false);
}

TEST(PackedSeeds, DecideByThemselvesForTheBuiltInTrainer) {
  const std::string seeds = "{seeds: [11, 12], packed: auto}\n";
  const std::string built_in = "name: a\nmodel: {base: m.gguf}\ndata: {corpus: c}\nreplicate: ";
  const ParsedExperiment parsed = Parse(built_in + seeds);
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->replicate.packed, std::nullopt);
  EXPECT_EQ(SpecToJson(*parsed.spec)["replicate"]["packed"], "auto");
  const ParsedExperiment again = Parse(SpecToJson(*parsed.spec).dump());
  EXPECT_EQ(again.spec->replicate.packed, std::nullopt);
  EXPECT_THAT(Errors("name: a\ntrainer: {command: [python3, train.py]}\nreplicate: " + seeds),
              testing::Contains(HasSubstr("replicate.packed: auto needs the built-in trainer")));
  EXPECT_THAT(Errors(built_in + "{seeds: [11], packed: perhaps}\n"),
              testing::Contains(HasSubstr("replicate.packed: expected true, false or auto")));
}

TEST(PackedTrials, AreDecidedAsSeedsAre) {
  const std::string space = "space: {training.learning_rate: {choice: [1.0e-4, 2.0e-4]}}}\n";
  const std::string sweep = "sweep: {search: grid, packed: ";
  const std::string built_in = "name: a\nmodel: {base: m.gguf}\ndata: {corpus: c}\n" + sweep;
  const std::string own = "name: a\ntrainer: {command: [python3, train.py]}\n" + sweep;
  EXPECT_EQ(Parse(own + "true, " + space).spec->sweep->packed, true);
  const ParsedExperiment parsed = Parse(built_in + "auto, pack_size: 4, " + space);
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->sweep->packed, std::nullopt);
  const ParsedExperiment again = Parse(SpecToJson(*parsed.spec).dump());
  EXPECT_EQ(again.spec->sweep->packed, std::nullopt);
  EXPECT_EQ(again.spec->sweep->pack_size, 4);
  EXPECT_THAT(Errors(own + "auto, " + space),
              testing::Contains(HasSubstr("sweep.packed: auto needs the built-in trainer")));
  EXPECT_THAT(Errors(built_in + "perhaps, " + space),
              testing::Contains(HasSubstr("sweep.packed: expected true, false or auto")));
  EXPECT_THAT(
      Errors(built_in + "true, pack_size: 1, " + space),
      testing::Contains(HasSubstr("sweep.pack_size: expected a whole number from 2 to 256")));
}

TEST(Epochs, AreInsteadOfSteps) {
  EXPECT_THAT(ErrorsWith("training: {epochs: 2, max_steps: 50}\n"),
              ElementsAre("f:5: training.epochs: and max_steps are both given. Give one of them"));
  EXPECT_THAT(ErrorsWith("training: {epochs: none, max_steps: 50}\n"), IsEmpty());
  EXPECT_THAT(ErrorsWith("training: {epochs: 2}\n"),
              ElementsAre(HasSubstr("f:5: training.epochs: was not counted in steps")));
  EXPECT_THAT(
      Errors(absl::StrCat("name: t\ntrainer: {command: [python3, train.py]}\n"
                          "training: {epochs: 2}\nreplicate: {seeds: [1]}\n")),
      ElementsAre(HasSubstr("f:3: training.epochs: only what the built-in trainer trains")));
}

// Whoever has counted says so, and the rest of the file follows.
TEST(Epochs, OnceCountedAreSteps) {
  const auto counted = [](const std::string& added, int64_t steps) {
    return ParseExperiment(absl::StrCat(kValid, added),
                           {.base_directory = "/base", .check_paths = false, .epoch_steps = steps});
  };
  const ParsedExperiment parsed = counted("training: {epochs: 2.5}\n", 60);
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->training.epochs, 2.5);
  EXPECT_EQ(parsed.spec->training.max_steps, 60);
  EXPECT_EQ(parsed.spec->training.warmup_steps, 60);
  EXPECT_EQ(parsed.spec->check.steps, 60);
  EXPECT_THAT(Lines(counted("training: {epochs: 2}\ncheck: {steps: 61}\n", 60).errors),
              ElementsAre(HasSubstr("check.steps: 61 is more than max_steps (60)")));
  // A file without epochs keeps its length.
  EXPECT_EQ(counted("training: {max_steps: 70}\n", 60).spec->training.max_steps, 70);
  EXPECT_EQ(counted("", 60).spec->training.max_steps, 2000);
  // What was counted is not counted again.
  const ParsedExperiment again = ParseExperiment(DumpJson(SpecToJson(*parsed.spec)),
                                                 {.base_directory = "/", .check_paths = false});
  ASSERT_THAT(Lines(again.errors), IsEmpty());
  EXPECT_EQ(SpecToJson(*again.spec), SpecToJson(*parsed.spec));
  const absl::StatusOr<ExperimentSpec> trial =
      ApplyParameters(*parsed.spec, Json{{"training.learning_rate", 0.5}});
  ASSERT_TRUE(trial.ok()) << trial.status();
  EXPECT_EQ(trial->training.max_steps, 60);
}

TEST(Epochs, OfTrialsAreTheSameSteps) {
  for (const char* key : {"training.batch_size", "training.gradient_accumulation"}) {
    const ParsedExperiment parsed = ParseExperiment(
        absl::StrCat(kValid, "training: {epochs: 2}\nsweep: {search: grid, space: {", key,
                     ": {choice: [2, 4]}}}\n"),
        {.base_directory = "/base", .check_paths = false, .epoch_steps = 60});
    EXPECT_THAT(Lines(parsed.errors), ElementsAre(HasSubstr("could not be compared"))) << key;
  }
}

TEST(WarmStart, IsOfOneBaseAndOneShape) {
  EXPECT_THAT(ErrorsWith("lora: {init: a, r: 4}\n"), IsEmpty());
  EXPECT_THAT(ErrorsWith("lora: {init: none}\n"), IsEmpty());
  EXPECT_EQ(Parse(absl::StrCat(kValid, "lora: {init: a}\n")).spec->lora.init, "/base/a");
  EXPECT_THAT(Errors("name: t\nmodel: {base: m.gguf, fallback: n.gguf}\ndata: {corpus: c}\n"
                     "replicate: {seeds: [1]}\nlora: {init: a}\n"),
              ElementsAre(HasSubstr("f:2: model.fallback: the adapter of lora.init belongs")));
  EXPECT_THAT(ErrorsWith("lora: {init: a}\nsweep: {search: grid, space: {lora.r: {choice: [4, 8]}, "
                         "lora.dropout: {choice: [0, 0.1]}}}\n"),
              ElementsAre(HasSubstr("f:6: sweep.space.lora.r: the adapter of lora.init has one")));
  EXPECT_THAT(WarningsWith("lora: {init: a}\n"),
              testing::Contains(HasSubstr("f:5: lora.init: the rule no_convergence compares with "
                                          "step 0")));
  EXPECT_THAT(WarningsWith("lora: {init: a}\nabort: {no_convergence: none}\n"),
              testing::Not(testing::Contains(HasSubstr("lora.init"))));
}

TEST(ShortRuns, AreNotMadeImpossibleByDefaults) {
  const ParsedExperiment parsed = Parse(absl::StrCat(kValid, "training: {max_steps: 50}\n"));
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_EQ(parsed.spec->training.warmup_steps, 50);
  EXPECT_EQ(parsed.spec->check.steps, 50);
  EXPECT_THAT(Lines(parsed.warnings),
              testing::Contains(HasSubstr("training.warmup_steps: 50 is all of max_steps")));
}

TEST(CheckSteps, FitIntoTheRun) {
  EXPECT_THAT(ErrorsWith("training: {max_steps: 50}\ncheck: {steps: 60}\n"),
              ElementsAre("f:6: check.steps: 60 is more than max_steps (50). Use fewer"));
}

TEST(Split, SumsToOne) {
  const auto errors_of = [](const std::string& split) {
    return Errors("name: t\nmodel: {base: m.gguf}\ndata:\n  corpus: c\n  split: " + split +
                  "\nreplicate: {seeds: [1]}\n");
  };
  EXPECT_THAT(errors_of("{train: 0.7, validation: 0.2, test: 0.1}"), IsEmpty());
  EXPECT_THAT(errors_of("{train: 0.333333, validation: 0.333333, test: 0.333334}"), IsEmpty());
  EXPECT_THAT(errors_of("{train: 1, validation: 0, test: 0}"), IsEmpty());
  EXPECT_THAT(
      errors_of("{train: 0.7}"),
      ElementsAre("f:5: data.split: train 0.7, validation 0.1 and test 0.1 sum to 0.9; they "
                  "must sum to 1"));
  EXPECT_THAT(errors_of("{train: 1.2, validation: -0.1, test: -0.1}"),
              ElementsAre(HasSubstr("data.split.train: expected a number from 0 to 1"),
                          HasSubstr("data.split.validation"), HasSubstr("data.split.test")));
  EXPECT_THAT(errors_of("{by: item}"),
              ElementsAre(HasSubstr("data.split.by: \"item\" is not known. Expected document")));
}

TEST(Split, AnEmptyPartIsAWarning) {
  EXPECT_THAT(Warnings("name: t\nmodel: {base: m.gguf}\n"
                       "data: {corpus: c, split: {train: 0.9, test: 0}}\n"
                       "replicate: {seeds: [1]}\n"),
              ElementsAre(HasSubstr("f:3: data.split.test: is 0")));
}

TEST(Fallback, IsAnotherModel) {
  EXPECT_THAT(Errors("name: t\nmodel: {base: m.gguf, fallback: ./m.gguf}\ndata: {corpus: c}\n"
                     "replicate: {seeds: [1]}\n"),
              ElementsAre("f:2: model.fallback: is the base model itself. Remove it, or name "
                          "another"));
}

TEST(Budget, KnowsThePriceOfWhatIsUsed) {
  EXPECT_THAT(ErrorsWith("budget: {limit: 5}\n"),
              ElementsAre(HasSubstr("f:5: budget.cpu_hour: missing.")));
  EXPECT_THAT(ErrorsWith("budget: {limit: 5, gpu_hour: {default: 2}}\n"),
              ElementsAre(HasSubstr("f:5: budget.cpu_hour: missing.")));
  EXPECT_THAT(ErrorsWith("budget: {limit: 5, cpu_hour: 0.05}\nresources: {gpus: 1}\n"),
              ElementsAre(HasSubstr("f:5: budget.gpu_hour: missing.")));
  EXPECT_THAT(ErrorsWith("budget: {limit: 5, cpu_hour: 0}\n"), IsEmpty());
  EXPECT_THAT(ErrorsWith("budget: {limit: 5, gpu_hour: {default: 2}}\nresources: {gpus: 1}\n"),
              IsEmpty());
}

TEST(Budget, WarnsWithoutADefaultPrice) {
  EXPECT_THAT(WarningsWith("budget: {limit: 5, gpu_hour: {H200: 2}}\nresources: {gpus: 1}\n"),
              ElementsAre(HasSubstr("f:5: budget.gpu_hour: has no default")));
}

TEST(Resources, SeveralGpusForTheBuiltInTrainerAreAWarning) {
  EXPECT_THAT(WarningsWith("resources: {gpus: 8}\n"),
              ElementsAre(HasSubstr("f:5: resources.gpus: the built-in trainer uses one GPU")));
  EXPECT_THAT(ErrorsWith("resources: {gpus: 8}\n"), IsEmpty());
}

TEST(Precision, Tf32NeedsAGpu) {
  EXPECT_THAT(
      ErrorsWith("training: {precision: tf32}\n"),
      ElementsAre("f:5: training.precision: tf32 is how GPUs multiply fp32, and runs use no "
                  "GPU (resources.gpus is 0): use fp32, or set resources.gpus"));
  EXPECT_THAT(ErrorsWith("training: {precision: tf32}\nresources: {gpus: 1}\n"), IsEmpty());
}

TEST(Ranks, OfTheBuiltInTrainerAreOfOneRun) {
  EXPECT_THAT(ErrorsWith("resources: {ranks: 3, elastic: true}\n"), IsEmpty());
  EXPECT_THAT(ErrorsWith("resources: {ranks: 2, gpus: 1}\n"), IsEmpty());
  const std::string ranks = "resources: {ranks: 2}\nreplicate: {seeds: [11, 12], packed: ";
  const std::string built_in = "name: a\nmodel: {base: m.gguf}\ndata: {corpus: c}\n" + ranks;
  EXPECT_THAT(Errors(built_in + "auto}\n"), IsEmpty());
  EXPECT_THAT(Errors(built_in + "true}\n"),
              ElementsAre(HasSubstr("replicate.packed: what is packed trains in one process")));
  EXPECT_THAT(Errors("name: a\ntrainer: {command: [python3, train.py]}\n" + ranks + "true}\n"),
              IsEmpty());
}

TEST(Accuracy, OfSeveralTasksWithoutAPrimaryIsAWarning) {
  EXPECT_THAT(WarningsWith("evaluation: {tasks: [a, b], gates: {accuracy: 0.6}}\n"),
              ElementsAre(HasSubstr("evaluation.gates.accuracy")));
  EXPECT_THAT(WarningsWith("evaluation: {tasks: [a], gates: {accuracy: 0.6}}\n"), IsEmpty());
}

struct Validations {
  int64_t after_step, eval_steps;
  const char* warning;  // "" = none
};

TEST(NoConvergence, NeedsEnoughValidationsToJudge) {
  const Validations cases[] = {
      {400, 100, "4 validations up to step 400 (eval_steps is 100): the rule is undecided"},
      {199, 100, "1 validation up to step 199 (eval_steps is 100): the rule is undecided"},
      {499, 100, "4 validations"},
      {500, 100, "the rule sees divergence only from 8 on"},
      {799, 100, "the rule sees divergence only from 8 on"},
      {800, 100, ""},
      {1999, 100, ""},
      {2000, 100, "2000 is not before max_steps (2000): the rule never looks"},
  };
  for (const Validations& c : cases) {
    const std::vector<std::string> warnings =
        WarningsWith(absl::StrCat("training: {eval_steps: ", c.eval_steps, "}\n",
                                  "abort: {no_convergence: {after_step: ", c.after_step, "}}\n"));
    if (*c.warning == '\0') {
      EXPECT_THAT(warnings, IsEmpty()) << c.after_step;
    } else {
      EXPECT_THAT(warnings,
                  ElementsAre(testing::AllOf(HasSubstr("f:6: abort.no_convergence.after_step: "),
                                             HasSubstr(c.warning))))
          << c.after_step;
    }
  }
}

TEST(BelowRandom, BeyondTheRunIsAWarning) {
  EXPECT_THAT(WarningsWith("abort: {below_random: {after_step: 2001}}\n"),
              ElementsAre(HasSubstr("abort.below_random.after_step: 2001 is beyond max_steps")));
  EXPECT_THAT(WarningsWith("abort: {below_random: {after_step: 2000}}\n"), IsEmpty());
}

TEST(EvalSteps, BeyondTheRunAreAWarning) {
  EXPECT_THAT(WarningsWith("training: {eval_steps: 2001}\nabort: {no_convergence: none}\n"),
              ElementsAre(HasSubstr("f:5: training.eval_steps: 2001 is more than max_steps")));
}

TEST(Cascade, AWrongValueIsNotReportedAgainByWhatDependsOnIt) {
  EXPECT_THAT(ErrorsWith("training: {max_steps: many, warmup_steps: 5000}\ncheck: {steps: 3000}\n"),
              ElementsAre(HasSubstr("training.max_steps: expected a whole number")));
  EXPECT_THAT(ErrorsWith("sweep: 5\nstages: [sweep]\n"),
              ElementsAre(HasSubstr("f:5: sweep: expected a section")));
  EXPECT_THAT(ErrorsWith("trainer: {command: 7}\n"),
              ElementsAre(HasSubstr("trainer.command: expected a list")));
}

}  // namespace
}  // namespace scm
