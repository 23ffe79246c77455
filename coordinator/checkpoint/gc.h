// Which checkpoints are kept. Pure: what it says to remove is marked DELETED in one commit, and
// only then taken off the disk.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace scm::checkpoint {

// A complete checkpoint of a run.
struct GcCheckpoint {
  std::string id;
  int64_t step = 0;
  int64_t bytes = 0;
};

struct GcRun {
  std::string run;
  std::vector<GcCheckpoint> checkpoints;  // in any order, one a step
  std::optional<int64_t> best_step;       // the one with the lowest validation loss
  int64_t final_step = 0;                 // where the run ends
};

struct GcDecision {
  std::string id;
  bool keep = false;
  std::string reason;  // "the lowest validation loss of r-3"
  int64_t bytes = 0;
};

struct GcPlan {
  std::vector<GcDecision> decisions;  // run by run as given, ascending steps
  int64_t bytes_removed = 0;
};

// Keeps of every run the best by validation, the latest (from which it resumes) and the final one,
// and everything in `reachable`: ids that a task which has not ended reads. Removes the rest.
GcPlan PlanGc(const std::vector<GcRun>& runs, const std::set<std::string>& reachable);

}  // namespace scm::checkpoint
