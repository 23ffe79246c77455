// Why a stage is skipped.
#include <gtest/gtest.h>

#include "coordinator/controller/stages/registry.h"
#include "tests/coordinator/controller/stages/small_cluster.h"

namespace scm::controller {
namespace {

TEST(StageRegistry, EveryStageIsItsOwn) {
  for (const StageKind kind : kAllStages) {
    EXPECT_EQ(StageOf(kind).kind(), kind);
    EXPECT_EQ(StageOf(kind).needs().stage, kind);
  }
}

// In the order of the stages: why each of them is skipped; "" = it is carried out.
TEST(StageSkip, AfterAFailedGate) {
  const std::string check = "the gate of check failed", sweep = "the gate of sweep failed";
  const struct {
    const char* title;
    StageKind gate;
    const char* outcome;
    std::vector<std::string> skipped;
  } rows[] = {
      {"nothing ended", StageKind::kCheck, "", {"", "", "", "", "", ""}},
      {"a passed check", StageKind::kCheck, "passed", {"", "", "", "", "", ""}},
      {"a failed check", StageKind::kCheck, "failed", {"", check, check, check, check, ""}},
      {"a check not judged", StageKind::kCheck, "not_judged", {"", "", "", "", "", ""}},
      {"a failed sweep", StageKind::kSweep, "failed", {"", "", sweep, sweep, sweep, ""}},
      // Some seeds finished: what they say is evaluated, exported and reported.
      {"a failed replicate", StageKind::kReplicate, "failed", {"", "", "", "", "", ""}},
      {"a failed evaluate", StageKind::kEvaluate, "failed", {"", "", "", "", "", ""}},
  };
  for (const auto& row : rows) {
    SmallCluster small;
    small.SetGate(row.gate, row.outcome);
    for (size_t s = 0; s < std::size(kAllStages); ++s) {
      EXPECT_EQ(StageOf(kAllStages[s]).WhySkipped(small.cluster, small.id), row.skipped[s])
          << StageName(kAllStages[s]) << " after " << row.title;
    }
  }
}

TEST(StageSkip, TheEarlierGateIsTheReason) {
  SmallCluster small;
  small.SetGate(StageKind::kCheck, "failed");
  small.SetGate(StageKind::kSweep, "failed");
  EXPECT_EQ(StageOf(StageKind::kExport).WhySkipped(small.cluster, small.id),
            "the gate of check failed");
}

TEST(StageSkip, WhereNoReplicateFinished) {
  const struct {
    const char* title;
    std::vector<std::pair<State, int64_t>> seeds;  // state and model index
    bool skipped;
  } rows[] = {
      {"no replicate in the file", {}, false},
      {"one of two finished", {{State::kSucceeded, 0}, {State::kFailed, 0}}, false},
      {"none finished", {{State::kAborted, 0}, {State::kFailed, 0}}, true},
      {"the next candidate finished", {{State::kFailed, 0}, {State::kSucceeded, 1}}, false},
      {"only the candidate before finished", {{State::kSucceeded, 0}, {State::kFailed, 1}}, true},
  };
  for (const auto& row : rows) {
    SmallCluster small;
    for (const auto& [state, model] : row.seeds) small.AddSeed(11, state, model);
    for (const StageKind stage : {StageKind::kEvaluate, StageKind::kExport}) {
      EXPECT_EQ(StageOf(stage).WhySkipped(small.cluster, small.id),
                row.skipped ? "no replicate finished" : "")
          << StageName(stage) << ": " << row.title;
    }
    EXPECT_EQ(StageOf(StageKind::kReport).WhySkipped(small.cluster, small.id), "");
  }
}

}  // namespace
}  // namespace scm::controller
