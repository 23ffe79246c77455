#include "coordinator/core/priority_scheduler.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/human.h"

namespace scm::core {
namespace {

// A worker with what is left of it while allocations are being made.
struct Room {
  const WorkerSlots* worker;
  int64_t free_cpus;
  std::vector<GpuSlot> gpus;  // by index
  // Set once a task that could use this worker must wait: tasks of a lower priority stay away.
  const WaitingTask* reserved_for = nullptr;
};

std::string Plural(int64_t n, absl::string_view noun) {
  return absl::StrCat(n, " ", noun, n == 1 ? "" : "s");
}

GpuRequest GpusOf(const SlotRequest& request) {
  return {request.gpus, request.gpu_share, request.gpu_memory_bytes};
}

std::string ShareText(int64_t millionths) {
  return absl::StrCat(static_cast<double>(millionths) / static_cast<double>(kWholeGpu));
}

// "2 GPUs", "2 GPUs of 40 GiB", "0.5 of a GPU", "0.5 of a GPU with 40 GiB".
std::string GpusText(const SlotRequest& request) {
  const bool share = GpusOf(request).IsShare();
  const std::string gpus =
      share ? absl::StrCat(ShareText(request.gpu_share), " of a GPU") : Plural(request.gpus, "GPU");
  if (request.gpu_memory_bytes == 0) return gpus;
  return absl::StrCat(gpus, share ? " with " : " of ", GibText(request.gpu_memory_bytes));
}

// "1 GPU and 4 CPUs".
std::string NeedText(const SlotRequest& request) {
  if (request.gpus == 0) return Plural(request.cpus, "CPU");
  return absl::StrCat(GpusText(request), " and ", Plural(request.cpus, "CPU"));
}

// Ranks whose GPUs this one holds when nothing else is on it, and beside what is on it.
int64_t RanksIdle(const SlotRequest& request, const GpuSlot& gpu) {
  return RanksOnGpu(GpusOf(request), gpu.memory_bytes, kWholeGpu, gpu.memory_bytes);
}
int64_t RanksNow(const SlotRequest& request, const GpuSlot& gpu) {
  return RanksOnGpu(GpusOf(request), gpu.memory_bytes, gpu.free_share, gpu.free_memory_bytes);
}

// Of which of the worker's GPUs such a task could get something, whatever is on them, and now.
int64_t SuitingGpus(const SlotRequest& request, const WorkerSlots& worker) {
  return std::count_if(worker.gpus.begin(), worker.gpus.end(),
                       [&request](const GpuSlot& gpu) { return RanksIdle(request, gpu) > 0; });
}
int64_t SuitingFreeGpus(const SlotRequest& request, const Room& room) {
  return std::count_if(room.gpus.begin(), room.gpus.end(),
                       [&request](const GpuSlot& gpu) { return RanksNow(request, gpu) > 0; });
}

int64_t LargestMemory(const std::vector<Room>& rooms) {
  int64_t largest = 0;
  for (const Room& room : rooms) {
    for (const GpuSlot& gpu : room.gpus) largest = std::max(largest, gpu.memory_bytes);
  }
  return largest;
}

// How many ranks of `request` go into so many CPUs and these GPUs, at most `limit`.
int64_t RanksIn(const SlotRequest& request, int64_t cpus, const std::vector<GpuSlot>& gpus,
                int64_t (*ranks_on)(const SlotRequest&, const GpuSlot&), int64_t limit) {
  int64_t ranks = limit;
  if (request.cpus > 0) ranks = std::min(ranks, cpus / request.cpus);
  if (request.gpus > 0) {
    int64_t places = 0;
    for (const GpuSlot& gpu : gpus) places += ranks_on(request, gpu);
    ranks = std::min(ranks, places / request.gpus);
  }
  return std::max<int64_t>(ranks, 0);
}
int64_t RanksIdle(const WaitingTask& task, const WorkerSlots& worker) {
  return RanksIn(task.request, worker.total_cpus, worker.gpus, RanksIdle, task.ranks);
}
int64_t RanksNow(const WaitingTask& task, const Room& room) {
  return RanksIn(task.request, room.free_cpus, room.gpus, RanksNow, task.ranks);
}

bool FitsIdle(const WaitingTask& task, const WorkerSlots& worker) {
  return !task.never.contains(worker.id) && RanksIdle(task, worker) > 0;
}
bool FitsNow(const WaitingTask& task, const Room& room) {
  return !task.never.contains(room.worker->id) && RanksNow(task, room) > 0;
}

// How many ranks all workers could hold if they were idle: those that may take the task, or also
// those that must not.
int64_t RanksIdle(const WaitingTask& task, const std::vector<Room>& rooms, bool anywhere) {
  int64_t ranks = 0;
  for (const Room& room : rooms) {
    if (anywhere || !task.never.contains(room.worker->id)) ranks += RanksIdle(task, *room.worker);
  }
  return ranks;
}

// Whether a task that wants a share must be the first on its GPU there.
bool OpensGpu(const SlotRequest& request, const Room& room) {
  return GpusOf(request).IsShare() &&
         std::none_of(room.gpus.begin(), room.gpus.end(), [&request](const GpuSlot& gpu) {
           return gpu.free_share < kWholeGpu && RanksNow(request, gpu) > 0;
         });
}

int64_t FreeShares(const Room& room) {
  int64_t shares = 0;
  for (const GpuSlot& gpu : room.gpus) shares += gpu.free_share;
  return shares;
}

// The room for one rank: no worker on which the task failed, if possible; of the others the one
// that the rank fills best. nullptr when none has room.
Room* BestRoom(const WaitingTask& task, std::vector<Room>& rooms, bool respect_reservations) {
  Room* best = nullptr;
  auto key = [&task](const Room& room) {
    return std::make_tuple(task.avoid.count(room.worker->id), OpensGpu(task.request, room),
                           FreeShares(room), room.free_cpus, room.worker->id);
  };
  for (Room& room : rooms) {
    if (!FitsNow(task, room)) continue;
    if (respect_reservations && room.reserved_for != nullptr &&
        room.reserved_for->priority > task.priority) {
      continue;
    }
    if (best == nullptr || key(room) < key(*best)) best = &room;
  }
  return best;
}

// Takes the GPUs of a rank: of those that suit it the fullest, then the smallest, so that a whole
// and large one stays for whom needs it.
std::vector<int> TakeGpus(const SlotRequest& request, Room& room) {
  std::vector<GpuSlot*> suiting;
  for (GpuSlot& gpu : room.gpus) {
    if (RanksNow(request, gpu) > 0) suiting.push_back(&gpu);
  }
  std::stable_sort(suiting.begin(), suiting.end(), [](const GpuSlot* a, const GpuSlot* b) {
    return std::tie(a->free_share, a->memory_bytes) < std::tie(b->free_share, b->memory_bytes);
  });
  std::vector<int> taken;
  for (int64_t i = 0; i < request.gpus; ++i) {
    GpuSlot& gpu = *suiting[static_cast<size_t>(i)];
    gpu.free_share -= request.gpu_share;
    gpu.free_memory_bytes -= MemoryTaken(GpusOf(request), gpu.memory_bytes);
    taken.push_back(gpu.index);
  }
  return taken;
}

void Give(Room& room, const Placement& placement, const SlotRequest& request) {
  room.free_cpus += request.cpus;
  for (GpuSlot& gpu : room.gpus) {
    if (std::find(placement.gpus.begin(), placement.gpus.end(), gpu.index) ==
        placement.gpus.end()) {
      continue;
    }
    gpu.free_share += request.gpu_share;
    gpu.free_memory_bytes += MemoryTaken(GpusOf(request), gpu.memory_bytes);
  }
}

// All ranks, or nothing: what was taken for the first ranks is given back when a later one has no
// room, and also when this is only a question (`keep` is false).
std::optional<Allocation> Place(const WaitingTask& task, std::vector<Room>& rooms,
                                bool respect_reservations, bool keep) {
  Allocation allocation{task.id, {}};
  std::vector<Room*> taken;
  bool complete = true;
  for (int64_t rank = 0; rank < task.ranks && complete; ++rank) {
    Room* room = BestRoom(task, rooms, respect_reservations);
    complete = room != nullptr;
    if (!complete) break;
    allocation.ranks.push_back({room->worker->id, TakeGpus(task.request, *room)});
    room->free_cpus -= task.request.cpus;
    taken.push_back(room);
  }
  if (!complete || !keep) {
    for (size_t i = 0; i < taken.size(); ++i) Give(*taken[i], allocation.ranks[i], task.request);
  }
  return complete ? std::optional<Allocation>(std::move(allocation)) : std::nullopt;
}

// "needs 2 GPUs on one worker; the largest has 1": one resource that no worker has enough of.
std::string TooBig(absl::string_view need, int64_t largest) {
  if (largest == 0) {
    return absl::StrCat("cannot be placed: needs ", need, ", and no worker has any");
  }
  return absl::StrCat("cannot be placed: needs ", need,
                      " on one worker, and the largest worker has ", largest);
}

std::string TooLittleMemory(const SlotRequest& request, int64_t largest) {
  return absl::StrCat("cannot be placed: needs ", GpusText(request),
                      " (resources.gpu_memory_gib), and the largest GPU of any worker has ",
                      GibText(largest));
}

std::string UnplaceableReason(const WaitingTask& task, const std::vector<Room>& rooms) {
  if (!task.never.empty() && RanksIdle(task, rooms, /*anywhere=*/true) >= task.ranks) {
    return absl::StrCat("cannot be placed: ", task.never_reason);
  }
  int64_t most_gpus = 0, most_cpus = 0;
  for (const Room& room : rooms) {
    most_gpus = std::max(most_gpus, SuitingGpus(task.request, *room.worker));
    most_cpus = std::max(most_cpus, room.worker->total_cpus);
  }
  if (task.request.gpus > most_gpus) {
    const int64_t largest = LargestMemory(rooms);
    if (most_gpus == 0 && largest > 0 && largest < task.request.gpu_memory_bytes) {
      return TooLittleMemory(task.request, largest);
    }
    return TooBig(GpusText(task.request), most_gpus);
  }
  if (task.request.cpus > most_cpus) return TooBig(Plural(task.request.cpus, "CPU"), most_cpus);
  const int64_t ranks = RanksIdle(task, rooms, /*anywhere=*/true);
  if (task.ranks > 1 && ranks > 0) {
    return absl::StrCat("cannot be placed: needs ", task.ranks, " ranks of ",
                        NeedText(task.request), " each, and all workers together hold ", ranks);
  }
  return absl::StrCat("cannot be placed: needs ", NeedText(task.request),
                      " on one worker, and no worker has both");
}

// "needs 1 GPU: both busy", "needs 2 GPUs on one worker: at most 1 is free on any".
std::string Busy(absl::string_view need, int64_t most_free, int64_t total) {
  if (most_free > 0) {
    return absl::StrCat("needs ", need, " on one worker: at most ", most_free,
                        most_free == 1 ? " is" : " are", " free on any");
  }
  const std::string all = total == 1   ? "the only one is busy"
                          : total == 2 ? "both busy"
                                       : absl::StrCat("all ", total, " busy");
  return absl::StrCat("needs ", need, ": ", all);
}

// "needs 0.5 of a GPU: at most 0.25 of one is free", "needs 0.5 of a GPU with 40 GiB: no GPU has
// both, share and memory, left".
std::string NoShareLeft(const SlotRequest& request, const std::vector<Room>& rooms) {
  int64_t most = 0;
  for (const Room& room : rooms) {
    for (const GpuSlot& gpu : room.gpus) {
      if (RanksIdle(request, gpu) > 0) most = std::max(most, gpu.free_share);
    }
  }
  if (most >= request.gpu_share) {
    return absl::StrCat("needs ", GpusText(request),
                        ": no GPU has both, such a share and the memory, left");
  }
  if (most == 0) return absl::StrCat("needs ", GpusText(request), ": all of them are busy");
  return absl::StrCat("needs ", GpusText(request), ": at most ", ShareText(most),
                      " of one is free");
}

std::string BusyReason(const WaitingTask& task, const std::vector<Room>& rooms) {
  int64_t most_gpus = 0, most_cpus = 0, all_gpus = 0, all_cpus = 0, ranks = 0;
  for (const Room& room : rooms) {
    const int64_t gpus = SuitingFreeGpus(task.request, room);
    most_gpus = std::max(most_gpus, gpus);
    most_cpus = std::max(most_cpus, room.free_cpus);
    all_gpus += SuitingGpus(task.request, *room.worker);
    all_cpus += room.worker->total_cpus;
    ranks += RanksNow(task, room);
  }
  if (task.request.gpus > most_gpus) {
    return GpusOf(task.request).IsShare() ? NoShareLeft(task.request, rooms)
                                          : Busy(GpusText(task.request), most_gpus, all_gpus);
  }
  if (task.request.cpus > most_cpus) {
    return Busy(Plural(task.request.cpus, "CPU"), most_cpus, all_cpus);
  }
  if (task.ranks > 1 && ranks > 0) {
    return absl::StrCat("needs ", task.ranks, " ranks of ", NeedText(task.request),
                        " each: room for ", ranks, " now");
  }
  return absl::StrCat("needs ", NeedText(task.request), " on one worker: none has both free");
}

std::vector<Room> RoomsOf(const std::vector<WorkerSlots>& workers) {
  std::vector<Room> rooms;
  for (const WorkerSlots& worker : workers) {
    rooms.push_back({&worker, worker.free_cpus, worker.gpus});
    std::sort(rooms.back().gpus.begin(), rooms.back().gpus.end(),
              [](const GpuSlot& a, const GpuSlot& b) { return a.index < b.index; });
  }
  return rooms;
}

std::vector<WaitingTask> InOrder(const std::vector<WaitingTask>& waiting) {
  std::vector<WaitingTask> tasks = waiting;
  for (WaitingTask& task : tasks) {
    task.ranks = std::max<int64_t>(task.ranks, 1);
    task.request.gpus = std::max<int64_t>(task.request.gpus, 0);
    task.request.cpus = std::max<int64_t>(task.request.cpus, 0);
  }
  std::sort(tasks.begin(), tasks.end(), [](const WaitingTask& a, const WaitingTask& b) {
    return std::tie(b.priority, a.order, a.id) < std::tie(a.priority, b.order, b.id);
  });
  return tasks;
}

// Keeps tasks of lower priority off the workers that `task` is waiting for.
void Reserve(const WaitingTask& task, std::vector<Room>& rooms) {
  for (Room& room : rooms) {
    if (room.reserved_for == nullptr && FitsIdle(task, *room.worker)) room.reserved_for = &task;
  }
}

// Whose reservation keeps `task` waiting although there is room.
std::string ReservedReason(const WaitingTask& task, const std::vector<Room>& rooms) {
  for (const Room& room : rooms) {
    const WaitingTask* holder = room.reserved_for;
    if (holder != nullptr && holder->priority > task.priority && FitsNow(task, room)) {
      return absl::StrCat("waits for ", holder->id.str(), ", which has a higher priority (",
                          holder->priority, " over ", task.priority, ") and needs ",
                          NeedText(holder->request));
    }
  }
  return BusyReason(task, rooms);
}

}  // namespace

ScheduleDecision PriorityScheduler::Decide(const SchedulerSnapshot& snapshot,
                                           absl::Time now) const {
  ScheduleDecision decision;
  std::vector<Room> rooms = RoomsOf(snapshot.workers);
  const std::vector<WaitingTask> tasks = InOrder(snapshot.waiting);
  // Room only shrinks here, so an equal request fails again: long queues of equal tasks are cheap.
  std::map<std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, std::set<WorkerId>>,
           std::string>
      refused;
  for (const WaitingTask& task : tasks) {
    std::string& reason = decision.waiting_reasons[task.id];
    if (rooms.empty()) {
      // Nothing is known about the workers to come, so nothing is called unplaceable.
      reason = "no worker is ready to take work";
      continue;
    }
    if (RanksIdle(task, rooms, /*anywhere=*/false) < task.ranks) {
      decision.unplaceable.insert(task.id);
      reason = UnplaceableReason(task, rooms);
      continue;
    }
    if (task.not_before > now) {
      reason =
          absl::StrCat("waits ", HumanDuration(task.not_before - now), " before its next attempt");
      continue;
    }
    const auto shape =
        std::make_tuple(task.priority, task.request.gpus, task.request.gpu_share, task.request.cpus,
                        task.request.gpu_memory_bytes, task.ranks, task.never);
    if (const auto earlier = refused.find(shape); earlier != refused.end()) {
      reason = earlier->second;
      continue;
    }
    if (std::optional<Allocation> allocation =
            Place(task, rooms, /*respect_reservations=*/true, /*keep=*/true)) {
      decision.allocations.push_back(*std::move(allocation));
      decision.waiting_reasons.erase(task.id);
      continue;
    }
    const bool has_room =
        Place(task, rooms, /*respect_reservations=*/false, /*keep=*/false).has_value();
    reason = has_room ? ReservedReason(task, rooms) : BusyReason(task, rooms);
    refused[shape] = reason;
    Reserve(task, rooms);
  }
  return decision;
}

}  // namespace scm::core
