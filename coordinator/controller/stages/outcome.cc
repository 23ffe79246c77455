#include "coordinator/controller/stages/outcome.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/text.h"

namespace scm::controller {
namespace {

// "failed to start", "failed", "aborted by …": what became of a run that did not succeed.
std::string EndOf(const core::RunStanding& run) {
  if (run.state == State::kFailed) {
    return run.started_at == absl::InfinitePast() ? "failed to start" : "failed";
  }
  const std::string word = absl::AsciiStrToLower(StateName(run.state));
  return run.rule.empty() ? word : absl::StrCat(word, " by ", run.rule);
}

}  // namespace

std::string EndsOf(const std::vector<core::RunStanding>& runs) {
  std::vector<std::pair<std::string, int>> groups;  // in the order of their first
  for (const core::RunStanding& run : runs) {
    const std::string end =
        absl::StrCat(EndOf(run), run.reason.empty() ? "" : ": ", LineOf(run.reason, 300));
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == end; });
    if (known == groups.end()) {
      groups.emplace_back(end, 1);
    } else {
      ++known->second;
    }
  }
  return absl::StrJoin(groups, "; ", [](std::string* out, const auto& group) {
    absl::StrAppend(out, group.second, " ", group.first);
  });
}

StageOutcome JudgeTasks(const state::Cluster& cluster, const ExperimentId& id, StageKind stage) {
  std::vector<const Task*> tasks;
  for (const Task* task : cluster.TasksOf(id)) {
    if (task->stage == stage) tasks.push_back(task);
  }
  StageOutcome outcome;
  for (const State bad : {State::kCancelled, State::kAborted, State::kFailed}) {
    for (const Task* task : tasks) {
      if (task->state == bad) outcome.state = bad;
    }
  }
  outcome.gate = outcome.state == State::kSucceeded ? "passed" : "failed";
  if (tasks.size() == 1) {
    outcome.reason = tasks.front()->reason;
    return outcome;
  }
  std::vector<std::string> losses;
  for (const Task* task : tasks) {
    if (task->state == State::kSucceeded) continue;
    losses.push_back(absl::StrCat(task->part ? task->part->name : task->id.str(), " ",
                                  StateName(task->state), ", ", task->reason));
  }
  outcome.reason =
      absl::StrCat(tasks.size() - losses.size(), " of ", tasks.size(), " tasks succeeded",
                   losses.empty() ? "" : ": ", absl::StrJoin(losses, "; "));
  return outcome;
}

}  // namespace scm::controller
