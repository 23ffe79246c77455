// Which checkpoints are kept: a table, and what holds for every input.
#include "coordinator/checkpoint/gc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/rng.h"

namespace scm::checkpoint {
namespace {

using testing::ElementsAre;

GcRun RunWith(const std::string& run, std::vector<int64_t> steps, std::optional<int64_t> best,
              int64_t final_step) {
  GcRun result{run, {}, best, final_step};
  for (int64_t step : steps)
    result.checkpoints.push_back({run + "/" + std::to_string(step), step, 10});
  return result;
}

std::vector<std::string> Kept(const GcPlan& plan) {
  std::vector<std::string> kept;
  for (const GcDecision& decision : plan.decisions) {
    if (decision.keep) kept.push_back(decision.id);
  }
  return kept;
}

TEST(PlanGc, KeepsBestLatestFinalAndReachable) {
  const GcPlan plan = PlanGc({RunWith("r-1", {100, 200, 300, 400, 500}, 300, 500),
                              RunWith("r-2", {300, 100, 200}, {}, 900)},
                             {"r-1/100", "r-9/100"});
  EXPECT_THAT(Kept(plan), ElementsAre("r-1/100", "r-1/300", "r-1/500", "r-2/300"));
  EXPECT_EQ(plan.bytes_removed, 40);
  ASSERT_EQ(plan.decisions.size(), 8u);
  EXPECT_EQ(plan.decisions[0].reason, "a task needs it");
  EXPECT_EQ(plan.decisions[1].reason, "neither best, latest nor final, and no task needs it");
  EXPECT_EQ(plan.decisions[2].reason, "the lowest validation loss of r-1");
  EXPECT_EQ(plan.decisions[4].reason, "the latest of r-1; the final one of r-1");
  EXPECT_EQ(plan.decisions[7].id, "r-2/300");
  EXPECT_EQ(plan.decisions[7].reason, "the latest of r-2");
}

TEST(PlanGc, NothingToDo) {
  EXPECT_TRUE(PlanGc({}, {"r-1/100"}).decisions.empty());
  EXPECT_TRUE(PlanGc({RunWith("r-1", {}, 100, 500)}, {}).decisions.empty());
}

TEST(PlanGc, HoldsForEveryInput) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Philox rng(seed, "gc_test");
    std::vector<GcRun> runs;
    std::set<std::string> reachable, must;
    int64_t count = 0;
    const uint64_t run_count = 1 + rng.Below(4);
    for (uint64_t r = 0; r < run_count; ++r) {
      std::vector<int64_t> steps;
      for (int64_t step = 1; step <= 12; ++step) {
        if (rng.Below(2) == 0) steps.push_back(step * 100);
      }
      Shuffle(steps, rng);
      std::optional<int64_t> best;
      if (!steps.empty() && rng.Below(4) > 0) best = steps[rng.Below(steps.size())];
      runs.push_back(RunWith("r-" + std::to_string(r), steps, best, 1200));
      int64_t latest = 0;
      for (const GcCheckpoint& checkpoint : runs.back().checkpoints) {
        latest = std::max(latest, checkpoint.step);
        if (rng.Below(8) == 0) reachable.insert(checkpoint.id);
        if (best == checkpoint.step || checkpoint.step == 1200) must.insert(checkpoint.id);
        ++count;
      }
      if (latest > 0) must.insert("r-" + std::to_string(r) + "/" + std::to_string(latest));
    }
    must.insert(reachable.begin(), reachable.end());
    const GcPlan plan = PlanGc(runs, reachable);
    EXPECT_EQ(static_cast<int64_t>(plan.decisions.size()), count);
    const std::vector<std::string> kept = Kept(plan);
    EXPECT_EQ(std::set<std::string>(kept.begin(), kept.end()), must) << "exactly what is needed";
    EXPECT_EQ(plan.bytes_removed, 10 * (count - static_cast<int64_t>(kept.size())));

    for (GcRun& run : runs) {
      std::vector<GcCheckpoint> left;
      for (const GcCheckpoint& checkpoint : run.checkpoints) {
        if (must.count(checkpoint.id) > 0) left.push_back(checkpoint);
      }
      run.checkpoints = left;
    }
    EXPECT_EQ(PlanGc(runs, reachable).bytes_removed, 0) << "a second pass removes nothing";
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace scm::checkpoint
