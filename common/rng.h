// Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a
// counter-based generator, so a stream is a pure function of (root seed, purpose, index) and
// results do not depend on the number of threads. No std:: distribution is used: they differ by
// library.
#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace scm {

// One Philox 4×32-10 block. Matches the Random123 known-answer vectors.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// 64-bit FNV-1a of a purpose name, which separates streams under one root seed.
uint64_t StreamPurpose(absl::string_view name);

// A sequential view of one stream. Copyable; copying copies the position. Not thread-safe.
class Philox {
 public:
  Philox(uint64_t root_seed, absl::string_view purpose, uint64_t index = 0);
  Philox(uint64_t root_seed, uint64_t purpose, uint64_t index);

  uint32_t Next32();
  uint64_t Next64();
  // Uniform in [0, 1), 53 bits.
  double Uniform();
  // Uniform in [0, bound), unbiased (rejection); bound ≥ 1.
  uint64_t Below(uint64_t bound);
  // Standard normal by Box–Muller.
  double Normal();
  // Skips to draw number `n` of Next32() from the stream's start.
  void Seek(uint64_t n);
  uint64_t position() const { return position_; }

 private:
  std::array<uint32_t, 2> key_;
  uint64_t purpose_index_;
  uint64_t position_ = 0;
  std::array<uint32_t, 4> block_{};
};

// Fisher–Yates over any random-access container.
template <typename Container>
void Shuffle(Container& items, Philox& rng) {
  for (size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[rng.Below(i)]);
  }
}

}  // namespace scm
