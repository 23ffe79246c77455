// The training loop with a fake model: what it reports when, and that it resumes exactly.
#include "trainer/loop/train_loop.h"

#include <cmath>

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
    loop = std::make_unique<TrainLoop>(
        spec,
        TrainLoopParts{&model, &examples, &validation, &reporter, &commands, &checkpoints, &clock});
  }

  JobSpec spec;
  QuadraticModel model;
  std::vector<TokenExample> examples;
  ValidationSet validation;
  RecordingReporter reporter;
  CommandQueue commands;
  MemoryCheckpoints checkpoints;
  TickingClock clock;
  std::unique_ptr<TrainLoop> loop;
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
  const auto outcome = bench.loop->Run();
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
  ASSERT_TRUE(whole.loop->Run().ok());
  for (const int64_t k : {4, 8}) {
    Bench resumed(Spec());
    const MemoryCheckpoints::Saved& saved = whole.checkpoints.saved.at(k);
    // The state travels as JSON text.
    const auto json = ParseJson(TrainingStateToJson(saved.state).dump(), "state");
    ASSERT_TRUE(json.ok());
    const auto state = TrainingStateFromJson(*json, "state");
    ASSERT_TRUE(state.ok()) << state.status();
    MemoryCheckpoints::Restore(saved, resumed.loop->optimizer());
    ASSERT_TRUE(resumed.loop->Resume(*state).ok());
    ASSERT_TRUE(resumed.loop->Run().ok());
    EXPECT_EQ(resumed.checkpoints.saved.at(12).tensors, whole.checkpoints.saved.at(12).tensors);
    EXPECT_EQ(TrainingStateToJson(resumed.checkpoints.saved.at(12).state).dump(),
              TrainingStateToJson(whole.checkpoints.saved.at(12).state).dump());
    EXPECT_EQ(resumed.reporter.StepsOf("progress").front(), k + 1);
    EXPECT_EQ(resumed.reporter.StepsOf("validation").front(), k == 4 ? 6 : 9);
  }
}

TEST(TrainLoop, RefusesACheckpointOfOtherData) {
  Bench first(Spec());
  ASSERT_TRUE(first.loop->Run().ok());
  JobSpec other = Spec();
  other.seed = 12;
  Bench second(other);
  const absl::Status status = second.loop->Resume(first.checkpoints.saved.at(4).state);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another seed"));
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
    ASSERT_TRUE(bench->loop->Run().ok());
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
    const auto outcome = bench.loop->Run();
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_TRUE(outcome->stopped);
    EXPECT_EQ(outcome->state.step, 5);
    EXPECT_EQ(bench.checkpoints.saved.count(5), checkpoint ? 1u : 0u);
  }
}

TEST(TrainLoop, MakesUpAValidationThatAStopInterrupted) {
  JobSpec spec = Spec();
  Bench whole(spec);
  ASSERT_TRUE(whole.loop->Run().ok());
  Bench bench(spec);
  bench.model.on_step = [&](int64_t step) {
    if (step == 6) bench.commands.PushLine(R"({"cmd":"stop","reason":"pause","checkpoint":true})");
  };
  ASSERT_TRUE(bench.loop->Run().ok());
  EXPECT_THAT(bench.reporter.StepsOf("validation"), ElementsAre(0, 3, 4));
  ASSERT_EQ(bench.checkpoints.saved.count(6), 1u);
  Bench resumed(spec);
  MemoryCheckpoints::Restore(bench.checkpoints.saved.at(6), resumed.loop->optimizer());
  ASSERT_TRUE(resumed.loop->Resume(bench.checkpoints.saved.at(6).state).ok());
  ASSERT_TRUE(resumed.loop->Run().ok());
  EXPECT_THAT(resumed.reporter.StepsOf("validation"), ElementsAre(6, 8, 9, 12));
  EXPECT_EQ(resumed.checkpoints.saved.at(12).tensors, whole.checkpoints.saved.at(12).tensors);
}

TEST(TrainLoop, WritesACheckpointOnDemandWithoutChangingTheRun) {
  Bench plain(Spec()), asked(Spec());
  asked.model.on_step = [&](int64_t step) {
    if (step == 5) asked.commands.PushLine(R"({"cmd":"checkpoint"})");
  };
  ASSERT_TRUE(plain.loop->Run().ok());
  ASSERT_TRUE(asked.loop->Run().ok());
  EXPECT_THAT(asked.reporter.StepsOf("checkpoint"), ElementsAre(4, 5, 8, 12));
  EXPECT_EQ(asked.checkpoints.saved.at(12).tensors, plain.checkpoints.saved.at(12).tensors);
}

TEST(TrainLoop, ReportsDivergenceAndFails) {
  Bench bench(Spec());
  bench.model.nan_at_step = 5;
  const auto outcome = bench.loop->Run();
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
  const auto outcome = bench.loop->Run();
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(outcome->stopped_early);
  EXPECT_FALSE(outcome->stopped);
  EXPECT_LT(outcome->state.step, 200);
  EXPECT_EQ(bench.reporter.StepsOf("checkpoint").back(), outcome->state.step);
  // An attempt that crashed after this checkpoint, before its end was known, ends at once.
  Bench retried(spec);
  ASSERT_TRUE(retried.loop->Resume(bench.checkpoints.saved.rbegin()->second.state).ok());
  const auto again = retried.loop->Run();
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->stopped_early);
  EXPECT_TRUE(retried.reporter.lines.empty());
}

TEST(TrainLoop, EndsAtStopAtStepOnTheWholeSchedule) {
  JobSpec rung = Spec();
  rung.stop_at_step = 4;
  Bench first(rung);
  ASSERT_TRUE(first.loop->Run().ok());
  Bench whole(Spec());
  ASSERT_TRUE(whole.loop->Run().ok());
  EXPECT_EQ(first.checkpoints.saved.at(4).tensors, whole.checkpoints.saved.at(4).tensors);
}

}  // namespace
}  // namespace scm::trainer
