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
  std::vector<int> free_gpus;  // ascending
  // Set once a task that could use this worker must wait: tasks of a lower priority stay away.
  const WaitingTask* reserved_for = nullptr;
};

std::string Plural(int64_t n, absl::string_view noun) {
  return absl::StrCat(n, " ", noun, n == 1 ? "" : "s");
}

// "2 GPUs", "2 GPUs of 40 GiB".
std::string GpusText(const SlotRequest& request) {
  const std::string gpus = Plural(request.gpus, "GPU");
  if (request.gpu_memory_bytes == 0) return gpus;
  return absl::StrCat(gpus, " of ", GibText(request.gpu_memory_bytes));
}

// "1 GPU and 4 CPUs".
std::string NeedText(const SlotRequest& request) {
  if (request.gpus == 0) return Plural(request.cpus, "CPU");
  return absl::StrCat(GpusText(request), " and ", Plural(request.cpus, "CPU"));
}

int64_t MemoryOf(const WorkerSlots& worker, int gpu) {
  const auto found = worker.gpu_memory_bytes.find(gpu);
  return found == worker.gpu_memory_bytes.end() ? 0 : found->second;
}

bool Suits(const SlotRequest& request, const WorkerSlots& worker, int gpu) {
  return MemoryOf(worker, gpu) >= request.gpu_memory_bytes;
}

// GPUs of the worker, busy or not, that such a task could use.
int64_t SuitingGpus(const SlotRequest& request, const WorkerSlots& worker) {
  if (request.gpu_memory_bytes == 0) return worker.total_gpus;
  return std::count_if(
      worker.gpu_memory_bytes.begin(), worker.gpu_memory_bytes.end(),
      [&request](const auto& gpu) { return gpu.second >= request.gpu_memory_bytes; });
}
int64_t SuitingFreeGpus(const SlotRequest& request, const Room& room) {
  return std::count_if(room.free_gpus.begin(), room.free_gpus.end(),
                       [&](int gpu) { return Suits(request, *room.worker, gpu); });
}

int64_t LargestMemory(const std::vector<Room>& rooms) {
  int64_t largest = 0;
  for (const Room& room : rooms) {
    for (const auto& [gpu, bytes] : room.worker->gpu_memory_bytes) {
      largest = std::max(largest, bytes);
    }
  }
  return largest;
}

// How many ranks of `request` go into so many CPUs and GPUs, at most `limit`.
int64_t RanksIn(const SlotRequest& request, int64_t cpus, int64_t gpus, int64_t limit) {
  int64_t ranks = limit;
  if (request.cpus > 0) ranks = std::min(ranks, cpus / request.cpus);
  if (request.gpus > 0) ranks = std::min(ranks, gpus / request.gpus);
  return std::max<int64_t>(ranks, 0);
}

bool FitsIdle(const WaitingTask& task, const WorkerSlots& worker) {
  if (task.never.contains(worker.id)) return false;
  return RanksIn(task.request, worker.total_cpus, SuitingGpus(task.request, worker), 1) == 1;
}

// How many ranks all workers could hold if they were idle.
int64_t RanksIdle(const WaitingTask& task, const std::vector<Room>& rooms) {
  int64_t ranks = 0;
  for (const Room& room : rooms) {
    ranks += RanksIn(task.request, room.worker->total_cpus, SuitingGpus(task.request, *room.worker),
                     task.ranks);
  }
  return ranks;
}

bool PlaceableIdle(const WaitingTask& task, const std::vector<Room>& rooms) {
  int64_t ranks = 0;
  for (const Room& room : rooms) {
    if (task.never.contains(room.worker->id)) continue;
    ranks += RanksIn(task.request, room.worker->total_cpus, SuitingGpus(task.request, *room.worker),
                     task.ranks);
    if (ranks >= task.ranks) return true;
  }
  return false;
}

bool FitsNow(const WaitingTask& task, const Room& room) {
  if (task.never.contains(room.worker->id)) return false;
  return RanksIn(task.request, room.free_cpus, SuitingFreeGpus(task.request, room), 1) == 1;
}

// The room for one rank: no worker on which the task failed, if possible; of the others the one
// that the rank fills best. nullptr when none has room.
Room* BestRoom(const WaitingTask& task, std::vector<Room>& rooms, bool respect_reservations) {
  Room* best = nullptr;
  auto key = [&task](const Room& room) {
    return std::make_tuple(task.avoid.count(room.worker->id), room.free_gpus.size(), room.free_cpus,
                           room.worker->id);
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

// Takes the GPUs of a rank: of those that suit it the smallest, so that a large one stays for whom
// needs it.
std::vector<int> TakeGpus(const SlotRequest& request, Room& room) {
  std::vector<int> suiting;
  for (const int gpu : room.free_gpus) {
    if (Suits(request, *room.worker, gpu)) suiting.push_back(gpu);
  }
  std::stable_sort(suiting.begin(), suiting.end(), [&room](int a, int b) {
    return MemoryOf(*room.worker, a) < MemoryOf(*room.worker, b);
  });
  suiting.resize(static_cast<size_t>(request.gpus));
  std::erase_if(room.free_gpus, [&suiting](int gpu) {
    return std::find(suiting.begin(), suiting.end(), gpu) != suiting.end();
  });
  return suiting;
}

void Give(Room& room, const Placement& placement, const SlotRequest& request) {
  room.free_cpus += request.cpus;
  room.free_gpus.insert(room.free_gpus.end(), placement.gpus.begin(), placement.gpus.end());
  std::sort(room.free_gpus.begin(), room.free_gpus.end());
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
  if (!task.never.empty() && RanksIdle(task, rooms) >= task.ranks) {
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
  const int64_t ranks = RanksIdle(task, rooms);
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

std::string BusyReason(const WaitingTask& task, const std::vector<Room>& rooms) {
  int64_t most_gpus = 0, most_cpus = 0, all_gpus = 0, all_cpus = 0, ranks = 0;
  for (const Room& room : rooms) {
    const int64_t gpus = SuitingFreeGpus(task.request, room);
    most_gpus = std::max(most_gpus, gpus);
    most_cpus = std::max(most_cpus, room.free_cpus);
    all_gpus += SuitingGpus(task.request, *room.worker);
    all_cpus += room.worker->total_cpus;
    ranks += RanksIn(task.request, room.free_cpus, gpus, task.ranks);
  }
  if (task.request.gpus > most_gpus) return Busy(GpusText(task.request), most_gpus, all_gpus);
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
    rooms.push_back({&worker, worker.free_cpus, worker.free_gpus});
    std::sort(rooms.back().free_gpus.begin(), rooms.back().free_gpus.end());
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
  std::map<std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, std::set<WorkerId>>, std::string>
      refused;
  for (const WaitingTask& task : tasks) {
    std::string& reason = decision.waiting_reasons[task.id];
    if (rooms.empty()) {
      // Nothing is known about the workers to come, so nothing is called unplaceable.
      reason = "no worker is ready to take work";
      continue;
    }
    if (!PlaceableIdle(task, rooms)) {
      decision.unplaceable.insert(task.id);
      reason = UnplaceableReason(task, rooms);
      continue;
    }
    if (task.not_before > now) {
      reason =
          absl::StrCat("waits ", HumanDuration(task.not_before - now), " before its next attempt");
      continue;
    }
    const auto shape = std::make_tuple(task.priority, task.request.gpus, task.request.cpus,
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
