// The training loop with a fake model: what it reports when, and that it resumes exactly.
#include "trainer/loop/train_loop.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/fakes.h"
#include "trainer/data/validation.h"

namespace scm::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MemoryCheckpoints;
using testing::QuadraticModel;
using testing::RecordingReporter;
using testing::TickingClock;

TokenExample Example(int32_t label) {
  TokenExample example;
  example.tokens = {7, 8, label};
  example.answer_start = 2;
  return example;
}

JobSpec Spec() {
  JobSpec spec;
  spec.seed = 11;
  spec.max_steps = spec.stop_at_step = 12;
  spec.save_steps = 4;
  spec.eval_steps = 3;
  spec.training.learning_rate = 0.05;
  spec.training.warmup_steps = 2;
  spec.training.batch_size = 2;
  spec.training.gradient_accumulation = 2;
  spec.training.early_stopping = std::nullopt;
  spec.data.packing = false;
  return spec;
}

// Everything a loop needs; one per attempt.
struct Bench {
  explicit Bench(const JobSpec& job) : spec(job) {
    for (int32_t i = 0; i < 7; ++i) examples.push_back(Example(100 + i));
    for (int32_t i = 0; i < 7; ++i) {
      ValidationItem item;
      item.choices = {Example(100 + i), Example(200 + i)};
      item.gold = {0};
      validation.items.push_back(item);
    }
    validation.chance = 0.5;
    validation.deff = 1.2;
    run = std::make_unique<TrainRun>(spec, TrainRunParts{&model, &examples, &validation, &reporter,
                                                         &commands, &checkpoints, optimizer.get()});
  }

  absl::StatusOr<TrainOutcome> Run() {
    absl::StatusOr<TrainOutcome> outcome = absl::InternalError("the run has no end");
    const absl::Status status = TrainLoop(&model, optimizer.get(), &clock, {run.get()})
                                    .Run([&](TrainRun&, absl::StatusOr<TrainOutcome> end) {
                                      outcome = std::move(end);
                                      return absl::OkStatus();
                                    });
    if (!status.ok()) return status;
    return outcome;
  }

  JobSpec spec;
  QuadraticModel model;
  std::unique_ptr<Optimizer> optimizer = MakeOptimizer(&model);
  std::vector<TokenExample> examples;
  ValidationSet validation;
  RecordingReporter reporter;
  CommandQueue commands;
  MemoryCheckpoints checkpoints;
  TickingClock clock;
  std::unique_ptr<TrainRun> run;
};

// A choice that is no number ranks nowhere, even where the right answer's loss is one.
TEST(Validate, RanksNothingWhereALogLikelihoodIsNotFinite) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Bench bench(Spec());
    bench.model.log_likelihood_of[203] = bad;  // a wrong choice
    const auto result = Validate(bench.validation, 4096, nullptr, &bench.model);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(std::isnan(result->loss));
    EXPECT_FALSE(result->counts.has_value());
    bench.model.log_likelihood_of[203] = -50;
    const auto sound = Validate(bench.validation, 4096, nullptr, &bench.model);
    EXPECT_TRUE(std::isfinite(sound->loss));
    EXPECT_EQ(sound->counts->items, 7);
  }
}

TEST(TrainLoop, ReportsStepsValidationsAndCheckpoints) {
  Bench bench(Spec());
  const auto outcome = bench.Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(outcome->stopped);
  EXPECT_EQ(outcome->state.step, 12);
  EXPECT_EQ(bench.reporter.StepsOf("progress").size(), 12u);
  // Every eval_steps, at every save, and the untouched base.
  EXPECT_THAT(bench.reporter.StepsOf("validation"), ElementsAre(0, 3, 4, 6, 8, 9, 12));
  EXPECT_THAT(bench.reporter.StepsOf("checkpoint"), ElementsAre(4, 8, 12));
  const Json first = bench.reporter.OfType("progress")[0];
  EXPECT_EQ(first["metrics"]["learning_rate"], 0);  // warm-up begins at zero
  EXPECT_EQ(first["metrics"]["tokens"], 2 * 2 * 2);
  EXPECT_GT(first["metrics"]["grad_norm"].get<double>(), 0);
  const Json counts = bench.reporter.OfType("validation")[0]["counts"];
  EXPECT_EQ(counts["items"], 7);
  EXPECT_EQ(counts["chance"], 0.5);
  EXPECT_EQ(counts["deff"], 1.2);
  EXPECT_LT(outcome->state.validation->loss, outcome->state.base->loss);
  EXPECT_EQ(outcome->state.best_step, 12);
}

TEST(TrainLoop, ResumesBitForBitFromEveryCheckpoint) {
  Bench whole(Spec());
  ASSERT_TRUE(whole.Run().ok());
  for (const int64_t k : {4, 8}) {
    Bench resumed(Spec());
    const MemoryCheckpoints::Saved& saved = whole.checkpoints.saved.at(k);
    // The state travels as JSON text.
    const auto json = ParseJson(TrainingStateToJson(saved.state).dump(), "state");
    ASSERT_TRUE(json.ok());
    const auto state = TrainingStateFromJson(*json, "state");
    ASSERT_TRUE(state.ok()) << state.status();
    MemoryCheckpoints::Restore(saved, resumed.run->optimizer());
    ASSERT_TRUE(resumed.run->Resume(*state).ok());
    ASSERT_TRUE(resumed.Run().ok());
    EXPECT_EQ(resumed.checkpoints.saved.at(12).tensors, whole.checkpoints.saved.at(12).tensors);
    EXPECT_EQ(TrainingStateToJson(resumed.checkpoints.saved.at(12).state).dump(),
              TrainingStateToJson(whole.checkpoints.saved.at(12).state).dump());
    EXPECT_EQ(resumed.reporter.StepsOf("progress").front(), k + 1);
    EXPECT_EQ(resumed.reporter.StepsOf("validation").front(), k == 4 ? 6 : 9);
  }
}

TEST(TrainLoop, RefusesACheckpointOfOtherData) {
  Bench first(Spec());
  ASSERT_TRUE(first.Run().ok());
  JobSpec other = Spec();
  other.seed = 12;
  Bench second(other);
  const absl::Status status = second.run->Resume(first.checkpoints.saved.at(4).state);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another seed"));
}

TEST(TrainLoop, GoesOnFromAnotherNumberOfRanksOnlyWhereThatIsAllowed) {
  Bench first(Spec());
  ASSERT_TRUE(first.Run().ok());
  Json json = TrainingStateToJson(first.checkpoints.saved.at(4).state);
  EXPECT_EQ(json["world_size"], 1);
  json.erase("world_size");  // as checkpoints were before ranks
  auto state = TrainingStateFromJson(json, "state");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(Bench(Spec()).run->Resume(*state).ok());
  state->world_size = 2;
  const absl::Status refused = Bench(Spec()).run->Resume(*state);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("trained by 2 ranks and would be gone on with by 1"));
  JobSpec elastic = Spec();
  elastic.resources.elastic = true;
  Bench second(elastic);
  ASSERT_TRUE(second.run->Resume(*state).ok());
  ASSERT_TRUE(second.Run().ok());
  EXPECT_EQ(second.checkpoints.saved.at(12).state.world_size, 1);
}

TEST(TrainLoop, AccumulationEqualsOneLargeBatch) {
  JobSpec one = Spec(), eight = Spec();
  one.training.batch_size = 8;
  one.training.gradient_accumulation = 1;
  eight.training.batch_size = 1;
  eight.training.gradient_accumulation = 8;
  Bench large(one), small(eight);
  for (Bench* bench : {&large, &small}) {
    // Examples of unequal numbers of labels: averaging means of micro-batches would differ.
    bench->examples[0].tokens = {7, 100, 101, 102, 103};
    bench->examples[0].answer_start = 1;
    bench->model.noise = 0;
    ASSERT_TRUE(bench->Run().ok());
  }
  const auto& x = large.checkpoints.saved.at(12).tensors;
  const auto& y = small.checkpoints.saved.at(12).tensors;
  for (size_t t = 0; t < x.size(); ++t) {
    for (size_t i = 0; i < x[t].size(); ++i) EXPECT_NEAR(x[t][i], y[t][i], 1e-5);
  }
}

TEST(TrainLoop, StopsWithACheckpointWhenAsked) {
  for (const bool checkpoint : {true, false}) {
    Bench bench(Spec());
    bench.model.on_step = [&](int64_t step) {
      if (step == 5) {
        bench.commands.PushLine(checkpoint ? R"({"cmd":"stop","reason":"pause","checkpoint":true})"
                                           : R"({"cmd":"stop","reason":"abort"})");
      }
    };
    const auto outcome = bench.Run();
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_TRUE(outcome->stopped);
    EXPECT_EQ(outcome->state.step, 5);
    EXPECT_EQ(bench.checkpoints.saved.count(5), checkpoint ? 1u : 0u);
  }
}

TEST(TrainLoop, MakesUpAValidationThatAStopInterrupted) {
  JobSpec spec = Spec();
  Bench whole(spec);
  ASSERT_TRUE(whole.Run().ok());
  Bench bench(spec);
  bench.model.on_step = [&](int64_t step) {
    if (step == 6) bench.commands.PushLine(R"({"cmd":"stop","reason":"pause","checkpoint":true})");
  };
  ASSERT_TRUE(bench.Run().ok());
  EXPECT_THAT(bench.reporter.StepsOf("validation"), ElementsAre(0, 3, 4));
  ASSERT_EQ(bench.checkpoints.saved.count(6), 1u);
  Bench resumed(spec);
  MemoryCheckpoints::Restore(bench.checkpoints.saved.at(6), resumed.run->optimizer());
  ASSERT_TRUE(resumed.run->Resume(bench.checkpoints.saved.at(6).state).ok());
  ASSERT_TRUE(resumed.Run().ok());
  EXPECT_THAT(resumed.reporter.StepsOf("validation"), ElementsAre(6, 8, 9, 12));
  EXPECT_EQ(resumed.checkpoints.saved.at(12).tensors, whole.checkpoints.saved.at(12).tensors);
}

TEST(TrainLoop, WritesACheckpointOnDemandWithoutChangingTheRun) {
  Bench plain(Spec()), asked(Spec());
  asked.model.on_step = [&](int64_t step) {
    if (step == 5) asked.commands.PushLine(R"({"cmd":"checkpoint"})");
  };
  ASSERT_TRUE(plain.Run().ok());
  ASSERT_TRUE(asked.Run().ok());
  EXPECT_THAT(asked.reporter.StepsOf("checkpoint"), ElementsAre(4, 5, 8, 12));
  EXPECT_EQ(asked.checkpoints.saved.at(12).tensors, plain.checkpoints.saved.at(12).tensors);
}

TEST(TrainLoop, ReportsDivergenceAndFails) {
  Bench bench(Spec());
  bench.model.nan_at_step = 5;
  const auto outcome = bench.Run();
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kAborted);
  EXPECT_STREQ(FailureKind(outcome.status()), "diverged");
  EXPECT_EQ(bench.reporter.OfType("progress").back()["metrics"]["train_loss"], "NaN");
  EXPECT_EQ(bench.reporter.StepsOf("progress").back(), 5);
  EXPECT_THAT(bench.reporter.StepsOf("checkpoint"), ElementsAre(4));
}

TEST(TrainLoop, EarlyStoppingSavesAndIsDone) {
  JobSpec spec = Spec();
  spec.max_steps = spec.stop_at_step = 200;
  spec.save_steps = 100;
  spec.training.early_stopping = EarlyStoppingSpec{.patience = 2, .min_delta = 0.5};
  Bench bench(spec);
  const auto outcome = bench.Run();
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(outcome->stopped_early);
  EXPECT_FALSE(outcome->stopped);
  EXPECT_LT(outcome->state.step, 200);
  EXPECT_EQ(bench.reporter.StepsOf("checkpoint").back(), outcome->state.step);
  // An attempt that crashed after this checkpoint, before its end was known, ends at once.
  Bench retried(spec);
  ASSERT_TRUE(retried.run->Resume(bench.checkpoints.saved.rbegin()->second.state).ok());
  const auto again = retried.Run();
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->stopped_early);
  EXPECT_TRUE(retried.reporter.lines.empty());
}

TEST(TrainLoop, EndsAtStopAtStepOnTheWholeSchedule) {
  JobSpec rung = Spec();
  rung.stop_at_step = 4;
  Bench first(rung);
  ASSERT_TRUE(first.Run().ok());
  Bench whole(Spec());
  ASSERT_TRUE(whole.Run().ok());
  EXPECT_EQ(first.checkpoints.saved.at(4).tensors, whole.checkpoints.saved.at(4).tensors);
}

// Runs that share one model, with the ends that they came to.
struct Pack {
  explicit Pack(const std::vector<JobSpec>& specs) {
    Bench data(specs[0]);
    examples = data.examples;
    validation = data.validation;
    for (size_t i = 1; i < specs.size(); ++i) model.AddAdapterSet({}, 0).IgnoreError();
    optimizer = MakeOptimizer(&model);
    for (size_t i = 0; i < specs.size(); ++i) {
      one.push_back(std::make_unique<One>());
      one[i]->spec = specs[i];
      one[i]->run = std::make_unique<TrainRun>(
          one[i]->spec, TrainRunParts{&model, &examples, &validation, &one[i]->reporter, &commands,
                                      &one[i]->checkpoints, optimizer.get(), i});
    }
  }
  absl::Status Run() {
    std::vector<TrainRun*> runs;
    for (const auto& o : one) runs.push_back(o->run.get());
    return TrainLoop(&model, optimizer.get(), &clock, runs)
        .Run([&](TrainRun& run, absl::StatusOr<TrainOutcome> outcome) {
          for (const auto& o : one) {
            if (o->run.get() == &run) o->outcome = std::move(outcome);
          }
          return absl::OkStatus();
        });
  }

  struct One {
    JobSpec spec;
    RecordingReporter reporter;
    MemoryCheckpoints checkpoints;
    std::unique_ptr<TrainRun> run;
    absl::StatusOr<TrainOutcome> outcome = absl::InternalError("the run has no end");
  };
  QuadraticModel model;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<TokenExample> examples;
  ValidationSet validation;
  CommandQueue commands;
  TickingClock clock;
  std::vector<std::unique_ptr<One>> one;
};

std::vector<JobSpec> ThreeSpecs() {
  std::vector<JobSpec> specs(3, Spec());
  for (size_t i = 0; i < 3; ++i) {
    specs[i].seed = 11 + i;
    specs[i].run_id = absl::StrCat("r-", i);
  }
  specs[1].training.gradient_accumulation = 3;
  return specs;
}

TEST(TrainLoopOfSeveral, StepsTogetherAndEndsAsAlone) {
  const std::vector<JobSpec> specs = ThreeSpecs();
  Pack pack(specs);
  ASSERT_TRUE(pack.Run().ok());
  // Two micro-batches of all, and a third of the run that has three.
  EXPECT_EQ(pack.model.together.size(), 12u * 3);
  EXPECT_THAT(std::vector<size_t>(pack.model.together.begin(), pack.model.together.begin() + 3),
              ElementsAre(3, 3, 1));
  for (size_t i = 0; i < specs.size(); ++i) {
    Bench alone(specs[i]);
    ASSERT_TRUE(alone.Run().ok());
    const auto& tensors = pack.one[i]->checkpoints.saved;
    for (const auto& [step, saved] : alone.checkpoints.saved) {
      EXPECT_EQ(tensors.at(step).tensors, saved.tensors) << i << " " << step;
    }
    EXPECT_EQ(pack.one[i]->reporter.StepsOf("validation"), alone.reporter.StepsOf("validation"));
  }
}

TEST(TrainLoopOfSeveral, ValidatesTheUntouchedBaseOnce) {
  Bench alone(Spec());
  ASSERT_TRUE(alone.Run().ok());
  Pack pack(ThreeSpecs());
  ASSERT_TRUE(pack.Run().ok());
  const int64_t each = static_cast<int64_t>(alone.reporter.StepsOf("validation").size());
  ASSERT_EQ(alone.model.scorings % each, 0);
  EXPECT_EQ(pack.model.scorings, (3 * each - 2) * (alone.model.scorings / each));
  for (const auto& one : pack.one) {
    EXPECT_EQ(one->reporter.OfType("validation")[0]["metrics"],
              alone.reporter.OfType("validation")[0]["metrics"]);
  }
}

TEST(TrainLoopOfSeveral, ARunThatDivergesOrIsStoppedLeaves) {
  Pack pack(ThreeSpecs());
  pack.model.nan_at_step = 5;
  pack.model.nan_in_set = 1;
  pack.model.on_step = [&](int64_t step) {
    if (step == 7) pack.commands.PushLine(R"({"cmd":"stop","run":"r-0","checkpoint":true})");
  };
  ASSERT_TRUE(pack.Run().ok());
  EXPECT_TRUE(pack.one[0]->outcome->stopped);
  EXPECT_EQ(pack.one[0]->outcome->state.step, 7);
  EXPECT_EQ(pack.one[0]->checkpoints.saved.count(7), 1u);
  EXPECT_EQ(pack.one[1]->outcome.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(pack.one[1]->reporter.StepsOf("progress").back(), 5);
  EXPECT_EQ(pack.one[2]->outcome->state.step, 12);
  Bench alone(ThreeSpecs()[2]);
  ASSERT_TRUE(alone.Run().ok());
  EXPECT_EQ(pack.one[2]->checkpoints.saved.at(12).tensors, alone.checkpoints.saved.at(12).tensors);
}

}  // namespace
}  // namespace scm::trainer
