// A run with many validations: each of them is looked at, kept and found again.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "common/rng.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

// The loss falls for ever and never by enough, so that no look of no_convergence is the last.
double SlowLoss(int64_t step) { return 2 - 1e-6 * static_cast<double>(step); }

constexpr int64_t kEvery = 50;

// Each validation is an input and a commit of its own, as from a trainer that reports at once.
void ReportValidations(Harness& h, const TaskId& id, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const Task& task = *h.snapshot()->tasks->at(id);
    const Json line = {{"type", "validation"},
                       {"step", i * kEvery},
                       {"metrics", {{"validation_loss", SlowLoss(i * kEvery)}}}};
    h.Give(ReportsInput{task.attempt->ranks[0].worker, Harness::Ref(task), task.report_offset,
                        core::ReadReportLines(DumpJson(line) + "\n")})
        .IgnoreError();
  }
}

class ManyValidations : public testing::TestWithParam<int64_t> {};

TEST_P(ManyValidations, AreAllLookedAtAndSurviveARestart) {
  Harness h;
  h.AddWorker(4);
  std::string file = TestFile("replicate", "abort: {no_convergence: {min_loss_reduction: 0.9}}\n");
  file.replace(file.find("max_steps: 40"), 13, "max_steps: 2000000");
  file.replace(file.find("seeds: [11, 12, 13]"), 19, "seeds: [11]");
  file.replace(file.find("eval_steps: 10"), 14, "eval_steps: 50");
  h.Submit(file);
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  const auto began = std::chrono::steady_clock::now();
  ReportValidations(h, task, GetParam());
  std::printf("%d validations in %.2f s\n", static_cast<int>(GetParam()),
              std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  EXPECT_EQ(h.StateOf(task), "RUNNING");
  h.Restart();
  const auto& run = *h.RunOf(task);  // testing::Test has a Run of its own
  ASSERT_EQ(static_cast<int64_t>(run.validations.size()), GetParam());
  for (int64_t i = 0; i < GetParam(); ++i) {
    ASSERT_EQ(run.validations[static_cast<size_t>(i)].step, i * kEvery);
    ASSERT_EQ(run.validations[static_cast<size_t>(i)].loss, SlowLoss(i * kEvery));
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, ManyValidations, testing::Values(500, 5000));

// One seed on one worker, its task RUNNING.
TaskId StartRun(Harness& h, const std::string& more = "") {
  h.AddWorker(4);
  std::string file = TestFile("replicate", more);
  file.replace(file.find("seeds: [11, 12, 13]"), 19, "seeds: [11]");
  h.Submit(file);
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  return task;
}

std::vector<store::EventRow> EventsOf(Harness& h, const std::string& kind) {
  std::vector<store::EventRow> found;
  const std::vector<store::EventRow> all = h.store.ReadEvents("", 0, 100000).value();
  for (const store::EventRow& event : all) {
    if (event.kind == kind) found.push_back(event);
  }
  return found;
}

// Looked for anew in everything that there is.
std::optional<int64_t> BestOf(const state::Snapshot& snapshot, const RunId& run) {
  std::optional<int64_t> best, latest;
  double best_loss = 0;
  for (const auto& [id, checkpoint] : *snapshot.checkpoints) {
    if (checkpoint->run != run || checkpoint->deleted) continue;
    if (!latest || checkpoint->step > *latest) latest = checkpoint->step;
    for (const ValidationRecord& v : snapshot.runs->at(run)->validations) {
      if (v.step != checkpoint->step || !v.loss || !std::isfinite(*v.loss)) continue;
      if (!best || *v.loss < best_loss || (*v.loss == best_loss && v.step < *best)) {
        best = v.step;
        best_loss = *v.loss;
      }
    }
  }
  return best ? best : latest;
}

TEST(Validations, TheBestStepFollowsThemAndTheCheckpointsInAnyOrder) {
  constexpr uint64_t kSeed = 5;
  std::printf("seed %d\n", static_cast<int>(kSeed));
  for (uint64_t trial = 0; trial < 20; ++trial) {
    Philox rng(kSeed, "best step", trial);
    Harness h;
    const TaskId task = StartRun(h, "abort: {non_finite: none, no_convergence: none}\n");
    const RunId run = h.TaskAt(task)->run;
    for (int i = 0; i < 40; ++i) {
      const int64_t step = 1 + static_cast<int64_t>(rng.Uniform() * 12);
      if (rng.Uniform() < 0.5) {
        const double loss = rng.Uniform() < 0.2 ? std::nan("") : std::floor(rng.Uniform() * 4);
        h.Validation(task, step, loss);
      } else {
        h.Upload(task, step).IgnoreError();
      }
      ASSERT_EQ(h.RunOf(task)->best_step, BestOf(*h.snapshot(), run)) << trial << " " << i;
    }
    const auto before = h.RunOf(task)->best_step;
    h.Restart();
    EXPECT_EQ(h.RunOf(task)->best_step, before);
  }
}

// They stood in the run's own row before they had rows of their own.
TEST(Validations, OfAnOlderDatabaseAreFoundAndMoved) {
  Harness h;
  const TaskId task = StartRun(h);
  const std::string run = h.TaskAt(task)->run.str();
  store::WriteBatch older;
  const store::StoredState before = h.store.Load().value();
  for (const store::EntityRow& row : before.entities) {
    if (row.table != store::EntityTable::kRuns || row.id != run) continue;
    Json body = ParseJson(row.body, "run").value();
    body["validations"] = Json::parse(R"([[0, 1, 3.0, 0.25, 5, 20, 0.25, 1.5],
                                          [10, 1, "NaN", null, null, null, null, null]])");
    older.upserts.push_back({row.table, row.id, row.experiment, body.dump()});
  }
  ASSERT_EQ(older.upserts.size(), 1u);
  ASSERT_TRUE(h.store.Commit(older).ok());
  for (int start = 0; start < 2; ++start) {
    h.Restart();
    const auto& validations = h.RunOf(task)->validations;
    ASSERT_EQ(validations.size(), 2u);
    EXPECT_EQ(validations[0].deff, 1.5);
    EXPECT_TRUE(std::isnan(*validations[1].loss));
  }
  bool moved = false;
  const store::StoredState after = h.store.Load().value();
  for (const store::EntityRow& row : after.entities) {
    moved = moved || (row.table == store::EntityTable::kValidations && row.id == run + "/0");
    const bool inside = ParseJson(row.body, "row")->contains("validations");
    EXPECT_FALSE(row.table == store::EntityTable::kRuns && inside);
  }
  EXPECT_TRUE(moved);
}

TEST(Validations, BeyondTheCheckpointAreForgottenByTheNextAttempt) {
  Harness h;
  const TaskId task = StartRun(h);
  for (const int64_t step : {0, 5, 10, 15}) h.Validation(task, step, 3 - 0.1 * step);
  ASSERT_TRUE(h.Upload(task, 10).ok());
  h.Exit(task, 139);  // a crash
  h.Advance(absl::Minutes(2));
  ASSERT_EQ(h.TaskAt(task)->attempts, 2);
  for (int start = 0; start < 2; ++start, h.Restart()) {
    EXPECT_EQ(h.RunOf(task)->validations.size(), 3u);
    EXPECT_EQ(h.RunOf(task)->best_step, 10);
  }
}

TEST(Validations, ALossSpikeIsSaidOnceAndStopsNothing) {
  Harness h;
  const TaskId task =
      StartRun(h, "abort: {no_convergence: {after_step: 5, min_loss_reduction: 0.1}}\n");
  const std::string run = h.TaskAt(task)->run.str();
  for (int64_t step = 0; step <= 12; ++step) h.Validation(task, step, 3 - 0.1 * step);
  EXPECT_TRUE(EventsOf(h, "run_warning").empty());
  h.Validation(task, 13, 1e195);
  h.Restart();
  h.Validation(task, 14, 1e200);
  EXPECT_EQ(h.StateOf(task), "RUNNING");
  const std::vector<store::EventRow> events = EventsOf(h, "run_warning");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].subject, run);
  EXPECT_EQ(StringAt(*ParseJson(events[0].body, ""), "warning"), "loss_spike");
  EXPECT_NE(events[0].text.find("1e+195 at step 13 and was 3 before training"), std::string::npos)
      << events[0].text;
  const Json why = answers::ToJson(views::WhyView(*h.snapshot(), run).value());
  ASSERT_EQ(why["reasons"].size(), 2u);
  EXPECT_EQ(why["reasons"][1]["verdict"], "warning");
  EXPECT_EQ(why["reasons"][1]["text"], events[0].text);
  EXPECT_EQ(views::RunsView(*h.snapshot(), run).value().runs(0).warnings(0), events[0].text);
}

// Counts that are no counts leave the rule undecided, whatever a trainer writes.
TEST(Validations, CountsThatCannotBeAbortNothing) {
  for (const char* bad : {"\"NaN\"", "\"Infinity\"", "1e300", "-5", "1e12"}) {
    Harness h;
    const TaskId task = StartRun(h, "abort: {below_random: {after_step: 1}}\n");
    for (int64_t step = 0; step < 4; ++step) {
      Json line = {{"type", "validation"},
                   {"step", step},
                   {"metrics", {{"validation_loss", 1.0}}},
                   {"counts", {{"correct", 0}, {"chance", 0.5}, {"deff", 1.0}}}};
      line["counts"]["items"] = Json::parse(bad);
      h.Report(task, line);
    }
    EXPECT_EQ(h.StateOf(task), "RUNNING") << bad;
  }
}

// However many looks there are, each thing that a rule waits for is one event.
TEST(Validations, WhatIsUndecidedIsSaidOnce) {
  Harness h;
  const TaskId task =
      StartRun(h, "abort: {no_convergence: {after_step: 5, min_loss_reduction: 0.9}}\n");
  for (int64_t step = 0; step <= 30; ++step) h.Validation(task, step, 3 - 0.01 * step);
  int falling = 0;
  for (const store::EventRow& event : EventsOf(h, "undecided")) {
    falling += event.text.find("still falling") != std::string::npos;
  }
  EXPECT_EQ(falling, 1);
  EXPECT_EQ(EventsOf(h, "run_warning").size(), 1u);  // too slow for 0.9
}

}  // namespace
}  // namespace scm::controller
