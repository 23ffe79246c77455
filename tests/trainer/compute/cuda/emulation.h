// Runs CUDA kernels on the CPU, for tests: blocks one after the other, the threads of a block as
// contexts of one thread that take turns. Shared memory holds rubbish when a block starts, and the
// order of blocks and threads is random, so that what works by luck fails. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace scm::trainer::emulation {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

// Calls `body` for every thread of every block. The seed decides the order. Throws
// std::logic_error where threads wait for each other in ways that hang, or that a GPU leaves
// undefined.
void RunBlocks(Dim3 grid, unsigned threads, uint64_t seed, const std::function<void()>& body);

// For the built-in functions of device code.
void SyncThreads();
uint64_t ExchangeInWarp(uint64_t bits, unsigned mask, unsigned lane_mask);
// Of shared memory, which `__shared__` puts between these.
void SetSharedMemory(char* begin, char* end);

}  // namespace scm::trainer::emulation
