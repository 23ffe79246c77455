#include "tests/trainer/compute/cuda/emulation.h"

#include <ucontext.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "common/rng.h"
#include "tests/trainer/compute/cuda/device_words.h"

emulation_dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace scm::trainer::emulation {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr unsigned kLanes = 32;
constexpr unsigned kEveryLane = 0xffffffffu;

// kRefused: asked for what is not emulated.
enum class State { kRunnable, kAtBarrier, kInShuffle, kRefused, kEnded };

struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  State state = State::kEnded;
  uint64_t offered = 0, received = 0;  // by the shuffle it is in
  unsigned partner = 0;
};

// One block at a time.
struct Block {
  std::vector<Thread> threads;
  size_t current = 0;
  ucontext_t scheduler;
  const std::function<void()>* body = nullptr;
  char *shared_begin = nullptr, *shared_end = nullptr;
};
Block block;

void Enter() {
  (*block.body)();
  block.threads[block.current].state = State::kEnded;
}

void Wait(State why) {
  Thread& thread = block.threads[block.current];
  thread.state = why;
  swapcontext(&thread.context, &block.scheduler);
}

void Start(Thread* thread) {
  if (thread->stack == nullptr) thread->stack = std::make_unique<char[]>(kStackBytes);
  getcontext(&thread->context);
  thread->context.uc_stack.ss_sp = thread->stack.get();
  thread->context.uc_stack.ss_size = kStackBytes;
  thread->context.uc_link = &block.scheduler;
  makecontext(&thread->context, Enter, 0);
  thread->state = State::kRunnable;
}

std::vector<size_t> Shuffled(size_t count, Philox* rng) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<size_t>(rng->Below(i))]);
  }
  return order;
}

// Lets the warps go on in which every lane offers a value.
bool FinishShuffles() {
  bool any = false;
  for (size_t first = 0; first < block.threads.size(); first += kLanes) {
    unsigned waiting = 0;
    for (size_t i = first; i < first + kLanes; ++i) {
      waiting += block.threads[i].state == State::kInShuffle;
    }
    if (waiting < kLanes) continue;
    for (size_t i = first; i < first + kLanes; ++i) {
      Thread& thread = block.threads[i];
      thread.received = block.threads[first + thread.partner].offered;
      thread.state = State::kRunnable;
    }
    any = true;
  }
  return any;
}

// Lets all go on if every thread that has not ended waits at the barrier.
bool FinishBarrier() {
  bool any = false;
  for (const Thread& thread : block.threads) {
    if (thread.state == State::kInShuffle || thread.state == State::kRefused) return false;
    any = any || thread.state == State::kAtBarrier;
  }
  for (Thread& thread : block.threads) {
    if (thread.state == State::kAtBarrier) thread.state = State::kRunnable;
  }
  return any;
}

void RunBlock(Philox* rng) {
  // Not a number in every type, and no index.
  std::memset(block.shared_begin, 0xff, static_cast<size_t>(block.shared_end - block.shared_begin));
  for (Thread& thread : block.threads) Start(&thread);
  const std::vector<size_t> order = Shuffled(block.threads.size(), rng);
  do {
    for (const size_t i : order) {
      if (block.threads[i].state != State::kRunnable) continue;
      block.current = i;
      threadIdx = {static_cast<unsigned>(i), 0, 0};
      swapcontext(&block.scheduler, &block.threads[i].context);
    }
  } while (FinishShuffles() || FinishBarrier());
  for (const Thread& thread : block.threads) {
    if (thread.state != State::kEnded) {
      throw std::logic_error(
          "threads of a block wait for threads that do not come, or shuffle in less than a warp");
    }
  }
}

}  // namespace

void SyncThreads() { Wait(State::kAtBarrier); }

uint64_t ExchangeInWarp(uint64_t bits, unsigned mask, unsigned lane_mask) {
  Thread& thread = block.threads[block.current];
  if (mask != kEveryLane) Wait(State::kRefused);
  thread.offered = bits;
  thread.partner = (static_cast<unsigned>(block.current) % kLanes) ^ lane_mask;
  Wait(State::kInShuffle);
  return thread.received;
}

void SetSharedMemory(char* begin, char* end) {
  block.shared_begin = begin;
  block.shared_end = end;
}

void RunBlocks(Dim3 grid, unsigned threads, uint64_t seed, const std::function<void()>& body) {
  if (threads == 0 || threads % kLanes != 0) throw std::logic_error("blocks are whole warps");
  if (block.threads.size() != threads) block.threads = std::vector<Thread>(threads);
  block.body = &body;
  Philox rng(seed, "emulation");
  gridDim = {grid.x, grid.y, grid.z};
  blockDim = {threads, 1, 1};
  for (const size_t i : Shuffled(static_cast<size_t>(grid.x) * grid.y, &rng)) {
    blockIdx = {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x), 0};
    RunBlock(&rng);
  }
}

}  // namespace scm::trainer::emulation
