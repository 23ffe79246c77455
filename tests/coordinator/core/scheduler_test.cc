// PriorityScheduler as tables: who starts, where, and what the others are told.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "coordinator/core/priority_scheduler.h"

namespace scm::core {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

core::WaitingTask Task(int64_t n, core::SlotRequest request, int64_t priority = 50) {
  core::WaitingTask task;
  task.id = TaskId::FromNumber(n);
  task.order = n;
  task.priority = priority;
  task.request = request;
  task.not_before = absl::InfinitePast();
  return task;
}

core::WorkerSlots Worker(int64_t n, int64_t free_cpus, int64_t total_cpus,
                         std::vector<int> free_gpus = {}, int64_t total_gpus = 0) {
  core::WorkerSlots worker{WorkerId::FromNumber(n), "host", free_cpus, total_cpus, {}};
  for (const int gpu : free_gpus) worker.gpus.push_back({gpu});
  for (int gpu = 0; static_cast<int64_t>(worker.gpus.size()) < total_gpus; ++gpu) {
    const bool free = std::count(free_gpus.begin(), free_gpus.end(), gpu) > 0;
    if (!free) worker.gpus.push_back({gpu, /*free_share=*/0});
  }
  return worker;
}

std::string Allocations(const core::ScheduleDecision& decision) {
  std::string text;
  for (const core::Allocation& allocation : decision.allocations) {
    absl::StrAppend(&text, allocation.task.str(), ":");
    for (const core::Placement& rank : allocation.ranks) {
      absl::StrAppend(&text, " ", rank.worker.str());
      for (int gpu : rank.gpus) absl::StrAppend(&text, "/", gpu);
    }
    absl::StrAppend(&text, "; ");
  }
  return text;
}

core::ScheduleDecision Decide(const core::SchedulerSnapshot& snapshot) {
  return core::PriorityScheduler().Decide(snapshot, kNow);
}

struct Case {
  const char* name;
  core::SchedulerSnapshot snapshot;
  std::string allocations;
  std::map<std::string, std::string> reasons;  // of the tasks that wait
  std::set<std::string> unplaceable = {};
};

class SchedulerTable : public testing::TestWithParam<Case> {};

TEST_P(SchedulerTable, Decides) {
  const core::ScheduleDecision decision = Decide(GetParam().snapshot);
  EXPECT_EQ(Allocations(decision), GetParam().allocations);
  std::map<std::string, std::string> reasons;
  for (const auto& [task, reason] : decision.waiting_reasons) reasons[task.str()] = reason;
  EXPECT_EQ(reasons, GetParam().reasons);
  std::set<std::string> unplaceable;
  for (const TaskId& task : decision.unplaceable) unplaceable.insert(task.str());
  EXPECT_EQ(unplaceable, GetParam().unplaceable);
}

core::WaitingTask Gang(core::WaitingTask task, int64_t ranks) {
  task.ranks = ranks;
  return task;
}

core::WaitingTask Later(core::WaitingTask task, absl::Duration delay) {
  task.not_before = kNow + delay;
  return task;
}

core::WaitingTask Avoiding(core::WaitingTask task, std::vector<int64_t> workers) {
  for (int64_t worker : workers) task.avoid.insert(WorkerId::FromNumber(worker));
  return task;
}

const core::SlotRequest kCpu{0, 1};
const core::SlotRequest kGpu{1, 1};

std::vector<Case> Order() {
  return {
      {"NothingWaits", {{}, {Worker(1, 4, 4)}}, "", {}},
      {"SubmissionOrder",
       {{Task(3, kCpu), Task(1, kCpu), Task(2, kCpu)}, {Worker(1, 2, 2)}},
       "k-1: w-1; k-2: w-1; ",
       {{"k-3", "needs 1 CPU: both busy"}}},
      {"PriorityBeforeOrder",
       {{Task(1, kCpu, 10), Task(2, kCpu, 90)}, {Worker(1, 1, 1)}},
       "k-2: w-1; ",
       {{"k-1", "needs 1 CPU: the only one is busy"}}},
      {"SmallerOnesOfTheSamePriorityPass",
       {{Task(1, {2, 1}), Task(2, kGpu)}, {Worker(1, 4, 4, {1}, 2)}},
       "k-2: w-1/1; ",
       {{"k-1", "needs 2 GPUs on one worker: at most 1 is free on any"}}},
      {"LowerPriorityWaitsBehindABlockedTask",
       {{Task(1, {2, 1}, 80), Task(2, kGpu)}, {Worker(1, 4, 4, {1}, 2)}},
       "",
       {{"k-1", "needs 2 GPUs on one worker: at most 1 is free on any"},
        {"k-2",
         "waits for k-1, which has a higher priority (80 over 50) and needs 2 GPUs and 1 CPU"}}},
      {"ButNotForWorkersTheBlockedTaskCannotUse",
       {{Task(1, kGpu, 80), Task(2, kCpu)}, {Worker(1, 4, 4, {}, 1), Worker(2, 1, 1)}},
       "k-2: w-2; ",
       {{"k-1", "needs 1 GPU: the only one is busy"}}},
      {"BackOffDoesNotBlock",
       {{Later(Task(1, kCpu, 80), absl::Seconds(10)), Task(2, kCpu)}, {Worker(1, 1, 1)}},
       "k-2: w-1; ",
       {{"k-1", "waits 10 s before its next attempt"}}},
      {"BackOffOver",
       {{Later(Task(1, kCpu), absl::ZeroDuration())}, {Worker(1, 1, 1)}},
       "k-1: w-1; ",
       {}},
      {"NoWorker", {{Task(1, kCpu)}, {}}, "", {{"k-1", "no worker is ready to take work"}}},
  };
}

std::vector<Case> Fit() {
  return {
      {"BestFitByGpusThenCpusThenId",
       {{Task(1, kGpu)},
        {Worker(1, 8, 8, {0, 1}, 2), Worker(2, 8, 8, {0}, 2), Worker(3, 4, 8, {1}, 2),
         Worker(4, 4, 8, {0}, 2)}},
       "k-1: w-3/1; ",
       {}},
      {"CpuTaskKeepsGpusFree",
       {{Task(1, kCpu), Task(2, kGpu)}, {Worker(1, 1, 1, {0}, 1), Worker(2, 8, 8)}},
       "k-1: w-2; k-2: w-1/0; ",
       {}},
      {"LowestGpusFirst",
       {{Task(1, {2, 1})}, {Worker(1, 8, 8, {5, 3, 0}, 8)}},
       "k-1: w-1/0/3; ",
       {}},
      {"AvoidsWhereItFailed",
       {{Avoiding(Task(1, kCpu), {1})}, {Worker(1, 1, 1), Worker(2, 8, 8)}},
       "k-1: w-2; ",
       {}},
      {"UnlessNothingElseFits",
       {{Avoiding(Task(1, kCpu), {1, 2})}, {Worker(1, 1, 1), Worker(2, 0, 8)}},
       "k-1: w-1; ",
       {}},
      {"GangOverWorkers",
       {{Gang(Task(1, kGpu), 3)}, {Worker(1, 8, 8, {0, 1}, 2), Worker(2, 8, 8, {4}, 2)}},
       "k-1: w-2/4 w-1/0 w-1/1; ",
       {}},
      {"GangUsesAvoidedWorkersLast",
       {{Avoiding(Gang(Task(1, kCpu), 3), {1})}, {Worker(1, 2, 2), Worker(2, 2, 2)}},
       "k-1: w-2 w-2 w-1; ",
       {}},
      {"GangIsAllOrNothing",
       {{Gang(Task(1, kGpu), 3), Task(2, kGpu)},
        {Worker(1, 8, 8, {0}, 2), Worker(2, 8, 8, {1}, 2)}},
       "k-2: w-1/0; ",
       {{"k-1", "needs 3 ranks of 1 GPU and 1 CPU each: room for 2 now"}}},
      {"BusyCpus",
       {{Task(1, {1, 6})}, {Worker(1, 4, 8, {0}, 1), Worker(2, 2, 8, {0}, 1)}},
       "",
       {{"k-1", "needs 6 CPUs on one worker: at most 4 are free on any"}}},
      {"BusyAllGpus",
       {{Task(1, kGpu)}, {Worker(1, 4, 8, {}, 8)}},
       "",
       {{"k-1", "needs 1 GPU: all 8 busy"}}},
      {"FreeButOnDifferentWorkers",
       {{Task(1, {1, 4})}, {Worker(1, 2, 8, {0}, 1), Worker(2, 8, 8, {}, 1)}},
       "",
       {{"k-1", "needs 1 GPU and 4 CPUs on one worker: none has both free"}}},
  };
}

std::vector<Case> Unplaceable() {
  return {
      {"NoGpuAnywhere",
       {{Task(1, kGpu, 90), Task(2, kCpu)}, {Worker(1, 1, 1)}},
       "k-2: w-1; ",
       {{"k-1", "cannot be placed: needs 1 GPU, and no worker has any"}},
       {"k-1"}},
      {"TooManyCpus",
       {{Task(1, {0, 64})}, {Worker(1, 1, 8), Worker(2, 1, 16)}},
       "",
       {{"k-1", "cannot be placed: needs 64 CPUs on one worker, and the largest worker has 16"}},
       {"k-1"}},
      {"NeverBothOnOne",
       {{Task(1, {1, 16})}, {Worker(1, 4, 4, {0}, 1), Worker(2, 16, 16)}},
       "",
       {{"k-1", "cannot be placed: needs 1 GPU and 16 CPUs on one worker, and no worker has both"}},
       {"k-1"}},
      {"GangTooLarge",
       {{Gang(Task(1, {1, 2}), 4)}, {Worker(1, 8, 8, {0, 1}, 2), Worker(2, 2, 2, {0, 1}, 2)}},
       "",
       {{"k-1",
         "cannot be placed: needs 4 ranks of 1 GPU and 2 CPUs each, and all workers together hold "
         "3"}},
       {"k-1"}},
      {"BusyIsNotUnplaceable",
       {{Gang(Task(1, kCpu), 4)}, {Worker(1, 0, 4)}},
       "",
       {{"k-1", "needs 1 CPU: all 4 busy"}}},
  };
}

std::string CaseName(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Order, SchedulerTable, testing::ValuesIn(Order()), CaseName);
INSTANTIATE_TEST_SUITE_P(Fit, SchedulerTable, testing::ValuesIn(Fit()), CaseName);
INSTANTIATE_TEST_SUITE_P(Unplaceable, SchedulerTable, testing::ValuesIn(Unplaceable()), CaseName);

TEST(Scheduler, NeverPlacesWhereATaskMustNotRun) {
  core::SchedulerSnapshot snapshot;
  snapshot.workers = {Worker(1, 4, 4), Worker(2, 1, 1)};
  snapshot.waiting = {Task(1, {0, 1}), Task(2, {0, 1}), Task(3, {0, 4})};
  for (core::WaitingTask& task : snapshot.waiting) {
    task.never = {WorkerId("w-1")};
    task.never_reason = "its price is not known";
  }
  const core::ScheduleDecision decision = Decide(snapshot);
  EXPECT_EQ(Allocations(decision), "k-1: w-2; ");
  EXPECT_EQ(decision.unplaceable, std::set<TaskId>{TaskId("k-3")});
  EXPECT_EQ(decision.waiting_reasons.at(TaskId("k-3")), "cannot be placed: its price is not known");
}

core::WorkerSlots WithMemory(core::WorkerSlots worker, std::map<int, int64_t> gib) {
  for (core::GpuSlot& gpu : worker.gpus) {
    gpu.memory_bytes = gib.at(gpu.index) << 30;
    gpu.free_memory_bytes = gpu.free_share == 0 ? 0 : gpu.memory_bytes;
  }
  return worker;
}

// resources.gpu_memory_gib: small GPUs are no room for it, and large ones are kept for whom needs
// them.
TEST(Scheduler, GpusHaveTheMemoryThatIsAskedFor) {
  constexpr int64_t kForty = int64_t{40} << 30;
  core::SchedulerSnapshot snapshot;
  snapshot.workers = {WithMemory(Worker(1, 8, 8, {0, 1, 2}, 3), {{0, 80}, {1, 24}, {2, 24}}),
                      WithMemory(Worker(2, 8, 8, {0}, 2), {{0, 24}, {1, 80}})};
  snapshot.waiting = {Task(1, {1, 1}), Task(2, {1, 1, kForty}), Task(3, {1, 1, kForty}),
                      Task(4, {1, 1, 4 * kForty}), Task(5, {2, 1, kForty})};
  const core::ScheduleDecision decision = Decide(snapshot);
  EXPECT_EQ(Allocations(decision), "k-1: w-2/0; k-2: w-1/0; ");
  EXPECT_EQ(decision.waiting_reasons.at(TaskId("k-3")), "needs 1 GPU of 40 GiB: both busy");
  EXPECT_EQ(decision.unplaceable, (std::set<TaskId>{TaskId("k-4"), TaskId("k-5")}));
  EXPECT_EQ(decision.waiting_reasons.at(TaskId("k-4")),
            "cannot be placed: needs 1 GPU of 160 GiB (resources.gpu_memory_gib), and the largest "
            "GPU of any worker has 80 GiB");
  EXPECT_EQ(decision.waiting_reasons.at(TaskId("k-5")),
            "cannot be placed: needs 2 GPUs of 40 GiB on one worker, and the largest worker has 1");
}

TEST(Scheduler, TheSmallestGpuThatSuitsIsTaken) {
  core::SchedulerSnapshot snapshot;
  snapshot.workers = {WithMemory(Worker(1, 8, 8, {0, 1, 2}, 3), {{0, 80}, {1, 24}, {2, 40}})};
  snapshot.waiting = {Task(1, {1, 1, int64_t{30} << 30}), Task(2, {1, 1})};
  EXPECT_EQ(Allocations(Decide(snapshot)), "k-1: w-1/2; k-2: w-1/1; ");
}

constexpr int64_t kHalf = kWholeGpu / 2;

// `resources.gpus: 0.5`: shares fill a GPU before they open another, and keep to its memory.
TEST(Scheduler, TasksShareAGpu) {
  struct Row {
    const char* name;
    std::vector<core::WaitingTask> waiting;
    std::vector<core::WorkerSlots> workers;
    const char* allocations;
    std::map<std::string, std::string> reasons;
  };
  const core::SlotRequest half{1, 1, 0, kHalf};
  const auto memory = [](int64_t gib, int64_t share) {
    return core::SlotRequest{1, 1, gib << 30, share};
  };
  const core::WorkerSlots one = WithMemory(Worker(1, 8, 8, {0}, 1), {{0, 80}}),
                          two = WithMemory(Worker(1, 8, 8, {0, 1}, 2), {{0, 80}, {1, 80}});
  core::WorkerSlots begun = WithMemory(Worker(2, 8, 8, {0, 1}, 2), {{0, 80}, {1, 80}});
  begun.gpus[1].free_share = kHalf;
  begun.gpus[1].free_memory_bytes = 30 * kGib;
  for (const Row& row : std::vector<Row>{
           {"two halves, and no third",
            {Task(1, half), Task(2, half), Task(3, half)},
            {one},
            "k-1: w-1/0; k-2: w-1/0; ",
            {{"k-3", "needs 0.5 of a GPU: all of them are busy"}}},
           {"a whole one finds none beside a half",
            {Task(1, half), Task(2, {1, 1})},
            {one},
            "k-1: w-1/0; ",
            {{"k-2", "needs 1 GPU: the only one is busy"}}},
           {"the second half goes where the first is",
            {Task(1, half), Task(2, half), Task(3, {1, 1})},
            {two},
            "k-1: w-1/0; k-2: w-1/0; k-3: w-1/1; ",
            {}},
           {"also on another worker, and only where the memory suffices",
            {Task(1, memory(20, kHalf)), Task(2, memory(31, kHalf))},
            {one, begun},
            "k-1: w-2/1; k-2: w-2/0; ",
            {}},
           {"not more memory than there is",
            {Task(1, memory(50, kHalf)), Task(2, memory(31, kHalf)), Task(3, memory(30, kHalf))},
            {one},
            "k-1: w-1/0; k-3: w-1/0; ",
            {{"k-2",
              "needs 0.5 of a GPU with 31 GiB: no GPU has both, such a share and the memory, "
              "left"}}},
           {"without memory in the file: its share of it",
            {Task(1, memory(41, kHalf)), Task(2, half)},
            {one},
            "k-1: w-1/0; ",
            {{"k-2", "needs 0.5 of a GPU: no GPU has both, such a share and the memory, left"}}},
           {"at most so much",
            {Task(1, memory(1, kWholeGpu * 3 / 4)), Task(2, half)},
            {one},
            "k-1: w-1/0; ",
            {{"k-2", "needs 0.5 of a GPU: at most 0.25 of one is free"}}},
           {"a gang on one GPU", {Gang(Task(1, half), 2)}, {one}, "k-1: w-1/0 w-1/0; ", {}},
           {"a gang beyond it",
            {Gang(Task(1, half), 3)},
            {one},
            "",
            {{"k-1",
              "cannot be placed: needs 3 ranks of 0.5 of a GPU and 1 CPU each, and all workers "
              "together hold 2"}}},
           {"more memory than any has",
            {Task(1, memory(81, kHalf))},
            {one},
            "",
            {{"k-1",
              "cannot be placed: needs 0.5 of a GPU with 81 GiB (resources.gpu_memory_gib), and "
              "the largest GPU of any worker has 80 GiB"}}},
           {"no GPU anywhere",
            {Task(1, half)},
            {Worker(1, 8, 8)},
            "",
            {{"k-1", "cannot be placed: needs 0.5 of a GPU, and no worker has any"}}},
       }) {
    SCOPED_TRACE(row.name);
    const core::ScheduleDecision decision = Decide({row.waiting, row.workers});
    EXPECT_EQ(Allocations(decision), row.allocations);
    std::map<std::string, std::string> reasons;
    for (const auto& [task, reason] : decision.waiting_reasons) reasons[task.str()] = reason;
    EXPECT_EQ(reasons, row.reasons);
  }
}

}  // namespace
}  // namespace scm::core
