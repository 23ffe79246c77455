#include "coordinator/controller/store_gap.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace scm::controller {
namespace {

// A worker's word must not use up the numbers, and no back-up is as old as that.
constexpr int64_t kMostNumbers = 1'000'000, kMostAttempts = 10'000;

// The number of an id, 0 if it is none of that kind.
int64_t NumberOf(char prefix, const std::string& id) {
  int64_t number = 0;
  if (id.size() < 3 || id[0] != prefix || id[1] != '-') return 0;
  return absl::SimpleAtoi(id.substr(2), &number) && number > 0 ? number : 0;
}

// Whether the number is beyond what the store has given out.
bool Raise(state::Cluster& cluster, char prefix, const std::string& id) {
  const int64_t number = NumberOf(prefix, id), last = cluster.LastNumber(prefix);
  if (number <= last || number > last + kMostNumbers) return false;
  cluster.RaiseNumber(prefix, number);
  return true;
}

void RaiseAttempt(ControllerContext& context, const Task& task, int64_t attempt, int64_t epoch) {
  if (IsTerminal(task.state) || attempt > task.attempts + kMostAttempts ||
      epoch > task.epoch + kMostAttempts) {
    return;
  }
  AttemptsSeen& seen = context.seen[task.id];
  seen.attempt = std::max(seen.attempt, attempt);
  seen.epoch = std::max(seen.epoch, epoch);
}

}  // namespace

void NoteGap(ControllerContext& context, const WorkerId& worker, const std::string& what) {
  if (std::exchange(context.store_is_behind, true)) return;
  context.Event(
      ExperimentId(), worker.empty() ? "coordinator" : worker.str(), "store_is_behind",
      absl::StrCat(worker.empty() ? "the checkpoint store" : worker.str(), " knows of ", what,
                   ", and this store does not: an older state was put back. What "
                   "went on since is done again from the last checkpoints, and costs "
                   "no retry"));
}

void LearnFrom(ControllerContext& context, const WorkerId& worker, const RegisterInput& input) {
  for (const LeaseRef& lease : input.ended) {
    if (context.Holds(worker, lease)) {
      NoteGap(context, worker, absl::StrCat("the end of ", lease.lease.str()));
    }
  }
  for (const std::vector<LeaseRef>* list : {&input.live, &input.ended}) {
    for (const LeaseRef& lease : *list) {
      const bool beyond = Raise(context.cluster, 'l', lease.lease.str());
      if (Raise(context.cluster, 'k', lease.task.str()) || beyond) {
        NoteGap(context, worker, lease.lease.str());
      }
      if (const Task* task = context.cluster.tasks.Find(lease.task)) {
        RaiseAttempt(context, *task, lease.attempt, lease.epoch);
      }
    }
  }
}

void LearnFromBlob(ControllerContext& context, const checkpoint::Manifest& manifest) {
  const std::string owner = manifest.id.substr(0, manifest.id.find('/'));
  if (Raise(context.cluster, owner[0], owner)) NoteGap(context, WorkerId(), manifest.id);
  const Run* run = context.cluster.runs.Find(RunId(owner));
  const Task* task = context.cluster.tasks.Find(run != nullptr ? run->task : TaskId(owner));
  if (task == nullptr) return;
  if (manifest.epoch > task->epoch) NoteGap(context, WorkerId(), manifest.id);
  RaiseAttempt(context, *task, manifest.attempt, manifest.epoch);
}

}  // namespace scm::controller
