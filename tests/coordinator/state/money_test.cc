// Accrual, rates, the budget and slip rules, and what certificates say was saved.
#include <gmock/gmock.h>

#include "coordinator/state/accrual.h"
#include "coordinator/state/experiment_forecast.h"
#include "experiment/parse.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

TEST(Money, RunningTasksAreCounted) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate", "budget: {limit: 100, cpu_hour: 3.6}\n"));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Started(task);
  h.Advance(absl::Seconds(100));
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), e), DoubleNear(3 * 100 * 0.001, 1e-9));
  h.Exit(h.Tasks(StageKind::kReplicate).at(0), 137);
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), e), DoubleNear(3 * 100 * 0.001, 1e-9));
  h.Restart();
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), e), DoubleNear(3 * 100 * 0.001, 1e-9));
}

TEST(Money, AnUnknownRateIsWaitedForNotTakenAsZero) {
  Harness h;
  h.AddWorker(4, 1, "L4");
  h.Submit(
      TestFile("replicate", "resources: {gpus: 1}\nbudget: {limit: 100, gpu_hour: {H200: 3.5}}\n"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Advance(absl::Seconds(3));
  EXPECT_EQ(h.StateOf(task), "PENDING");
  EXPECT_THAT(h.Waiting(task), HasSubstr("cannot be placed: the price of GPU \"L4\" is not known"));
  h.AddWorker(4, 1, "H200");  // one whose price is known
  h.Advance(absl::Seconds(3));
  EXPECT_EQ(h.StateOf(task), "ASSIGNED");
}

TEST(Money, ATaskWithoutAGpuOfAGpuExperimentHasAPrice) {
  const auto spec_of = [](const std::string& budget) {
    return *ParseExperiment(TestFile("replicate, report",
                                     "resources: {gpus: 1, cpus: 2}\nbudget: " + budget + "\n"),
                            {"/", false})
                .spec;
  };
  Worker worker;
  worker.gpus = {{0, "H200", 0, 0, 0}};
  // With a price of CPU slots, by it; without, the host that the GPUs were rented with is paid for.
  const ExperimentSpec priced = spec_of("{limit: 9, gpu_hour: {H200: 3.6}, cpu_hour: 0.36}");
  EXPECT_TRUE(state::MayCost(priced, worker, 0).ok());
  EXPECT_THAT(state::LeaseCostRate(priced, &worker, {}), DoubleNear(2 * 0.0001, 1e-12));
  const ExperimentSpec free = spec_of("{limit: 9, gpu_hour: {H200: 3.6}}");
  EXPECT_TRUE(state::MayCost(free, worker, 0).ok());
  EXPECT_EQ(state::LeaseCostRate(free, &worker, {}), 0);
  EXPECT_THAT(state::LeaseCostRate(free, &worker, {0}), DoubleNear(0.001, 1e-12));
}

TEST(Money, AShareOfAGpuCostsItsPartAlsoWhenTheGpuIsGone) {
  Harness h;
  const WorkerId worker = h.AddWorker(4, 1);
  const ExperimentId e = h.Submit(TestFile(
      "replicate", "resources: {gpus: 0.25}\nbudget: {limit: 100, gpu_hour: {H200: 3.6}}\n"));
  h.Advance(absl::Seconds(3));
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kReplicate);
  for (const TaskId& task : tasks)
    EXPECT_EQ(h.TaskAt(task)->attempt->ranks[0].gpus, std::vector{0});
  const double before = state::AccruedCost(*h.snapshot(), e);
  h.Advance(absl::Seconds(100));
  const double each = static_cast<double>(tasks.size()) * 0.25 * 0.001;
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), e) - before, DoubleNear(100 * each, 1e-9));
  RenewInput lost{worker, {}, {}};
  lost.gpu_news = GpuNews{{}, "GPU 0 (NVIDIA H200, GPU-a) is gone"};
  h.Give(lost).IgnoreError();
  EXPECT_TRUE(h.snapshot()->workers->at(worker)->gpus.empty());
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), e) - before, DoubleNear(100 * each, 1e-9));
  lost.gpu_news = GpuNews{{{0, "H200", 0, 0, 0}}, "GPU 0 (NVIDIA H200, GPU-a) is there"};
  h.Give(lost).IgnoreError();
  EXPECT_EQ(h.snapshot()->workers->at(worker)->gpus.size(), 1u);
  EXPECT_TRUE(h.snapshot()->workers->at(worker)->lost_gpus.empty());
}

TEST(Money, AReachedBudgetAbortsAndSaysWhatItSaved) {
  Harness h;
  h.AddWorker(3);
  const ExperimentId e = h.Submit(TestFile("replicate", "budget: {limit: 0.5, cpu_hour: 3.6}\n"));
  const std::vector<TaskId> runs = h.Tasks(StageKind::kReplicate);
  for (const TaskId& task : runs) h.Started(task);
  h.Advance(absl::Seconds(100));
  for (const TaskId& task : runs) h.Progress(task, 10);
  EXPECT_EQ(h.StateOf(e), "RUNNING");
  h.Advance(absl::Seconds(80));
  EXPECT_EQ(h.StateOf(e), "STOPPING");
  ASSERT_EQ(h.snapshot()->certificates->size(), 1u);
  const Json& body = h.snapshot()->certificates->begin()->second->body;
  EXPECT_EQ(body["rule"], "budget");
  EXPECT_GT(body["saved"]["seconds"].get<double>(), 1000);
  EXPECT_GT(body["saved"]["money"].get<double>(), 1);
  for (const TaskId& task : runs) h.Stopped(task);
  EXPECT_EQ(h.StateOf(e), "ABORTED");
}

// The trainer of a diverged run is gone when its certificate is written; its price is not.
TEST(Money, ADivergedRunSavedMoneyToo) {
  Harness h;
  h.AddWorker(4);
  h.Submit(TestFile("replicate", "budget: {limit: 100, cpu_hour: 3.6}\n"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  h.Advance(absl::Seconds(20));
  h.Progress(task, 10);
  h.Fail(task, "diverged");
  EXPECT_EQ(h.StateOf(task), "ABORTED");
  const Json& saved = h.snapshot()->certificates->begin()->second->body["saved"];
  EXPECT_EQ(saved["steps"], 30);
  EXPECT_THAT(saved["seconds"].get<double>(), DoubleNear(60, 1e-6));
  EXPECT_THAT(saved["money"].get<double>(), DoubleNear(0.06, 1e-9));
}

TEST(Money, AStartThatCannotFinishWithinTheBudgetIsNotMade) {
  Harness h;
  h.AddWorker(1);
  const ExperimentId e = h.Submit(TestFile("replicate", "budget: {limit: 0.1, cpu_hour: 3.6}\n"));
  const TaskId first = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(first);
  h.Advance(absl::Seconds(80));
  h.Train(first, 1);
  EXPECT_EQ(h.StateOf(e), "ABORTED");
  EXPECT_THAT(h.At(e)->stop_text, HasSubstr("cannot finish within"));
}

TEST(Money, TheForecastWarnsOnceBeforeTheBudgetIsReached) {
  Harness h;
  h.AddWorker(3);
  const ExperimentId e = h.Submit(TestFile("replicate", "budget: {limit: 1.0, cpu_hour: 3.6}\n"));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Started(task);
  h.Advance(absl::Seconds(100));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Progress(task, 10);
  h.Advance(absl::Seconds(5));
  EXPECT_TRUE(h.At(e)->budget_warned);
  int warnings = 0;
  const auto events = h.store.ReadEvents(e.str(), 0, 1000);
  for (const store::EventRow& event : *events) {
    warnings += event.kind == "budget_warning";
  }
  EXPECT_EQ(warnings, 1);
}

TEST(Slip, AProjectionTooFarBehindTheDateAborts) {
  Harness h;
  h.AddWorker(3);  // it is 2026-09-21 there
  const ExperimentId e = h.Submit(
      TestFile("replicate",
               "timeline: {finish_by: 2026-09-22, max_slip_days: 1}\nabort: {stalled: none}\n"));
  const std::vector<TaskId> runs = h.Tasks(StageKind::kReplicate);
  for (const TaskId& task : runs) h.Started(task);
  h.Advance(absl::Minutes(2));
  EXPECT_EQ(h.StateOf(e), "RUNNING");  // nothing measured, nothing projected
  h.now += absl::Hours(5);
  for (const TaskId& task : runs) {
    h.Renew(h.TaskAt(task)->attempt ? h.TaskAt(task)->attempt->ranks[0].worker : WorkerId("w-1"));
    if (h.TaskAt(task)->attempt) h.Progress(task, 1);
  }
  h.Advance(absl::Seconds(3));
  EXPECT_EQ(h.StateOf(e), "STOPPING");
  EXPECT_EQ(h.At(e)->stop_rule, "slip");
}

TEST(Forecast, CountsTheStagesAhead) {
  Harness h;
  h.AddWorker(1);
  const ExperimentId e = h.Submit(TestFile("check, sweep, replicate"));
  const TaskId check = h.Tasks(StageKind::kCheck).at(0);
  h.Started(check);
  h.Advance(absl::Seconds(10));
  h.Progress(check, 5);
  // 2 s a step: 5 of the check, 2 trials and 3 replicates of 40 steps on one slot.
  const state::ExperimentForecast forecast = state::ForecastExperiment(*h.snapshot(), e);
  EXPECT_THAT(absl::ToDoubleSeconds(*forecast.finish_p50 - h.now), DoubleNear(2 * 205, 1e-6));
  EXPECT_GT(*forecast.finish_p90, *forecast.finish_p50);
}

TEST(Forecast, CountsAnEvaluationFromItsFirstItemsOn) {
  Harness h;
  h.AddWorker(2);
  const ExperimentId e = h.Submit(TestFile("replicate, evaluate"));
  // Three seeds on two slots; then the base and three seeds.
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
    h.Advance(absl::Seconds(40));
    h.Train(task, 1);
  }
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kEvaluate);
  ASSERT_EQ(tasks.size(), 4u);
  const auto left = [&] {
    return absl::ToDoubleSeconds(*state::ForecastExperiment(*h.snapshot(), e).finish_p50 - h.now);
  };
  h.Started(tasks.at(0));
  h.Started(tasks.at(1));
  EXPECT_EQ(left(), 0);  // nothing is known of it yet
  EXPECT_EQ(state::SecondsPerEvaluation(*h.snapshot(), e), std::nullopt);
  h.Advance(absl::Seconds(30));
  for (const size_t i : {0, 1}) {
    h.Report(tasks.at(i), {{"type", "progress"}, {"step", 50}, {"metrics", {{"total", 100}}}});
  }
  // 60 s each; half of two and all of two others, on two slots.
  EXPECT_THAT(*state::SecondsPerEvaluation(*h.snapshot(), e), DoubleNear(60, 1e-6));
  EXPECT_THAT(left(), DoubleNear(90, 1e-6));
  h.Advance(absl::Seconds(30));
  h.Finish(tasks.at(0));
  h.Finish(tasks.at(1));
  EXPECT_THAT(*state::SecondsPerEvaluation(*h.snapshot(), e), DoubleNear(60, 1e-6));
  EXPECT_THAT(left(), DoubleNear(60, 1e-6));
}

}  // namespace
}  // namespace scm::controller
