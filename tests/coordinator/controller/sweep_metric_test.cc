// By which metric trials are compared: every search, either end, names of one's own, and names that
// are not there; and what a run may make the coordinator keep.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string FileWith(const std::string& search, const std::string& metric, const std::string& mode,
                     const std::string& stages = "sweep, replicate") {
  return absl::StrCat(
      "name: t\nstages: [", stages, "]\ntrainer: {command: [python3, train.py]}\n",
      "training: {max_steps: 40, warmup_steps: 0, save_steps: 10, eval_steps: 10}\n",
      "check: {steps: 10}\nabort: {no_convergence: none, below_random: none}\n",
      "sweep: {search: ", search, ", metric: ", metric, ", mode: ", mode, ", seed: 1, eta: 2, ",
      search == "asha" ? "rungs: [10, 40], " : "", "max_trials: 3, ",
      "space: {training.learning_rate: {choice: [0.1, 0.2, 0.3]}}}\nreplicate: {seeds: [11]}\n");
}

void Validate(Harness& h, const TaskId& id, int64_t step, Json metrics) {
  h.Report(id, {{"type", "validation"}, {"step", step}, {"metrics", std::move(metrics)}});
}

// Trains a trial that reports only `metric`, with this value at every rung.
void TrainBy(Harness& h, const TaskId& id, const std::string& metric, double value) {
  h.Started(id);
  Validate(h, id, 0, {{metric, 5.0}});
  for (const int64_t step : {10, 20, 30, 40}) {
    if (h.StateOf(id) != "RUNNING") break;
    Validate(h, id, step, {{metric, value}});
  }
  if (h.StateOf(id) == "STOPPING") return h.Stopped(id);
  h.Finish(id);
}

// The texts of this kind of event, in order.
std::vector<std::string> TextsOf(Harness& h, const ExperimentId& id, const std::string& kind) {
  const auto events = h.store.ReadEvents(id.str(), 0, 1000);
  std::vector<std::string> texts;
  for (const store::EventRow& event : *events) {
    if (event.kind == kind) texts.push_back(event.text);
  }
  return texts;
}

TEST(SweepMetric, EveryNameDrivesEverySearchTowardsEitherEnd) {
  struct Case {
    std::string metric, mode;
  };
  const Case cases[] = {{"validation_loss", "min"}, {"validation_accuracy", "max"},
                        {"zscore", "min"},          {"zscore", "max"},
                        {"eval/f1", "max"},         {"train_loss", "min"}};
  const double values[] = {0.5, 0.25, 0.75};
  for (const std::string search : {"grid", "random", "asha"}) {
    for (const Case& c : cases) {
      SCOPED_TRACE(absl::StrCat(search, " by ", c.metric, " ", c.mode));
      Harness h;
      h.AddWorker(1);  // one after the other
      const ExperimentId e = h.Submit(FileWith(search, c.metric, c.mode));
      const std::vector<TaskId> trials = h.Tasks(StageKind::kSweep);
      ASSERT_EQ(trials.size(), 3u);
      for (size_t i = 0; i < trials.size(); ++i) TrainBy(h, trials[i], c.metric, values[i]);
      const size_t best = c.mode == "max" ? 2 : 1;
      EXPECT_EQ(h.At(e)->winner_trial, h.RunOf(trials[best])->trial)
          << h.Gate(e, StageKind::kSweep);
      EXPECT_THAT(h.Gate(e, StageKind::kSweep), HasSubstr(absl::StrCat(" wins with ", c.metric)));
      // asha stops the last trial at its first rung, unless it is the best.
      const bool stopped = search == "asha" && c.mode == "min";
      EXPECT_EQ(h.RunOf(trials[2])->validations.back().step, stopped ? 10 : 40);
      EXPECT_EQ(h.RunOf(trials[best])->metric_missing, "");
    }
  }
}

TEST(SweepMetric, AMisspeltNameIsSaidAtTheFirstValidationOnceAndAtTheGate) {
  for (const std::string stages : {"sweep, replicate", "check, sweep, replicate"}) {
    Harness h;
    h.AddWorker(4);
    const ExperimentId e = h.Submit(FileWith("grid", "zscroe", "min", stages));
    const std::string expected =
        "sweep.metric compares trials by \"zscroe\", which the validation at step 0 lacks as a "
        "number; it has "
        "loss, zscore. Did you mean zscore?";
    const Json metrics = {{"loss", 1.0}, {"zscore", 0.1}, {"note", "text"}};
    const bool checked = stages != "sweep, replicate";
    if (checked) {
      const TaskId check = h.Tasks(StageKind::kCheck).at(0);
      h.Started(check);
      Validate(h, check, 0, metrics);
      EXPECT_EQ(h.RunOf(check)->metric_missing, expected);
      h.Finish(check);
    }
    for (const TaskId& trial : h.Tasks(StageKind::kSweep)) {
      h.Started(trial);
      Validate(h, trial, 0, metrics);
      EXPECT_THAT(answers::ToJson(*views::WhyView(*h.snapshot(), trial.str())).dump(),
                  HasSubstr("Did you mean zscore?"));
      Validate(h, trial, 40, metrics);
      h.Finish(trial);
    }
    EXPECT_EQ(h.Gate(e, StageKind::kSweep),
              "FAILED failed: none of 3 trials can be ranked: " + expected);
    EXPECT_THAT(TextsOf(h, e, "metric_missing"), ElementsAre(expected)) << stages;
  }
}

TEST(SweepMetric, WhatIsMissingAtFirstAndComesLaterIsForgiven) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(FileWith("grid", "zscore", "max"));
  const std::vector<TaskId> trials = h.Tasks(StageKind::kSweep);
  for (size_t i = 0; i < trials.size(); ++i) {
    h.Started(trials[i]);
    Validate(h, trials[i], 0, {{"validation_loss", 1.0}});
    EXPECT_NE(h.RunOf(trials[i])->metric_missing, "");
    h.Restart();  // it is remembered
    h.Return(h.TaskAt(trials[i])->attempt->ranks[0].worker, {Harness::Ref(*h.TaskAt(trials[i]))});
    EXPECT_NE(h.RunOf(trials[i])->metric_missing, "");
    Validate(h, trials[i], 40, {{"zscore", 1.0 + static_cast<double>(i)}});
    EXPECT_EQ(h.RunOf(trials[i])->metric_missing, "");
    h.Finish(trials[i]);
  }
  EXPECT_EQ(h.At(e)->winner_trial, h.RunOf(trials[2])->trial) << h.Gate(e, StageKind::kSweep);
}

TEST(SweepMetric, ATextIsNotTakenForANumber) {
  Harness h;
  h.AddWorker(4);
  h.Submit(FileWith("grid", "zscore", "max"));
  const TaskId trial = h.Tasks(StageKind::kSweep).at(0);
  h.Started(trial);
  Validate(h, trial, 0, {{"zscore", "0.5"}});
  EXPECT_EQ(h.RunOf(trial)->metric_missing,
            "sweep.metric compares trials by \"zscore\", which the validation at step 0 lacks as "
            "a number; it has no numbers in `metrics` at all");
}

// A trainer may report one line a validation set.
TEST(SweepMetric, LinesAboutOneStepAreOneValidation) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(FileWith("grid", "zscore", "min"));
  const std::vector<TaskId> trials = h.Tasks(StageKind::kSweep);
  for (size_t i = 0; i < trials.size(); ++i) {
    h.Started(trials[i]);
    Validate(h, trials[i], 40, {{"validation_loss", 1.0 + static_cast<double>(i)}});
    Validate(h, trials[i], 40, {{"zscore", 3.0 - static_cast<double>(i)}});
    Validate(h, trials[i], 40, {{"zscore", -100.0}, {"validation_loss", -100.0}});  // said already
    ASSERT_EQ(h.RunOf(trials[i])->validations.size(), 1u);
    EXPECT_EQ(h.RunOf(trials[i])->validations[0].loss, 1.0 + static_cast<double>(i));
    h.Finish(trials[i]);
  }
  EXPECT_EQ(h.At(e)->winner_trial, h.RunOf(trials[2])->trial);
}

// The checkpoint that is evaluated: by the validation loss; without any, by the sweep's metric.
TEST(SweepMetric, ChoosesTheCheckpointWhereThereIsNoLoss) {
  struct Case {
    std::string mode;
    bool losses;
    int64_t best;
  };
  for (const Case& c : {Case{"max", false, 20}, Case{"min", false, 30}, Case{"max", true, 10}}) {
    Harness h;
    h.AddWorker(1);
    h.Submit(FileWith("grid", "zscore", c.mode));
    const TaskId trial = h.Tasks(StageKind::kSweep).at(0);
    h.Started(trial);
    const double scores[] = {0.5, 0.9, 0.1, 0.4};
    for (int i = 0; i < 4; ++i) {
      const int64_t step = 10 * (i + 1);
      Json metrics = {{"zscore", scores[i]}};
      if (c.losses) metrics["validation_loss"] = step;
      Validate(h, trial, step, std::move(metrics));
      ASSERT_TRUE(h.Upload(trial, step).ok());
    }
    h.Finish(trial);
    EXPECT_EQ(h.RunOf(trial)->best_step, c.best) << c.mode << c.losses;
  }
}

// However many names a trainer invents, a run keeps so many, and those that decide always.
TEST(SweepMetric, NamesOfARunAreBounded) {
  Harness h;
  h.AddWorker(1);
  const ExperimentId e = h.Submit(FileWith("grid", "zscore", "max"));
  const TaskId trial = h.Tasks(StageKind::kSweep).at(0);
  h.Started(trial);
  for (int i = 0; i < 10; ++i) {
    Json metrics = Json::object();
    for (int j = 0; j < 50; ++j) metrics[absl::StrCat("m", 50 * i + j)] = j;
    h.Report(trial, {{"type", "progress"}, {"step", i + 1}, {"metrics", metrics}});
  }
  Validate(h, trial, 40, {{"zscore", 1.0}, {"validation_loss", 2.0}, {std::string(65, 'x'), 1.0}});
  const scm::Run& run = *h.RunOf(trial);
  EXPECT_EQ(run.metric_names.size(), 256u + 2u);
  EXPECT_EQ(run.latest.size(), 256u + 2u);
  EXPECT_EQ(run.latest.at("zscore"), 1.0);
  EXPECT_THAT(
      TextsOf(h, e, "metrics_refused"),
      ElementsAre(StartsWith("the metric m256 is not kept: the run has reported 256 names")));
}

// What a trainer says last is kept with its task: up to a size, and never without its meaning.
TEST(LastWord, IsBoundedAndKeepsItsMeaning) {
  Harness h;
  h.AddWorker(1);
  h.Submit(FileWith("grid", "zscore", "max"));
  const TaskId trial = h.Tasks(StageKind::kSweep).at(0);
  h.Started(trial);
  h.Report(trial, {{"type", "failed"},
                   {"kind", "bad_input"},
                   {"message", "no such corpus " + std::string(100'000, 'x')}});
  EXPECT_LT(h.TaskAt(trial)->ending.dump().size(), 5000u);
  h.Exit(trial, 1);
  EXPECT_EQ(h.StateOf(trial), "FAILED");
  EXPECT_THAT(h.TaskAt(trial)->reason, HasSubstr("no such corpus"));
  EXPECT_THAT(StringAt(h.TaskAt(trial)->ending, "message"), testing::EndsWith("x…"));
}

}  // namespace
}  // namespace scm::controller
