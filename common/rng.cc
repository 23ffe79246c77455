#include "common/rng.h"

#include <cmath>

namespace scm {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  constexpr uint64_t kM0 = 0xD2511F53, kM1 = 0xCD9E8D57;
  constexpr uint32_t kW0 = 0x9E3779B9, kW1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kM0 * c[0], p1 = kM1 * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += kW0;
    k[1] += kW1;
  }
  return c;
}

uint64_t StreamPurpose(absl::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (unsigned char ch : name) hash = (hash ^ ch) * 0x100000001b3ull;
  return hash;
}

Philox::Philox(uint64_t root_seed, absl::string_view purpose, uint64_t index)
    : Philox(root_seed, StreamPurpose(purpose), index) {}

Philox::Philox(uint64_t root_seed, uint64_t purpose, uint64_t index)
    : key_{static_cast<uint32_t>(root_seed), static_cast<uint32_t>(root_seed >> 32)},
      // Odd multiplier: distinct (purpose, index) pairs of one purpose never collide.
      purpose_index_(purpose + index * 0x9E3779B97F4A7C15ull) {}

uint32_t Philox::Next32() {
  if (position_ % 4 == 0) {
    const uint64_t block = position_ / 4;
    block_ = Philox4x32(
        {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
         static_cast<uint32_t>(purpose_index_), static_cast<uint32_t>(purpose_index_ >> 32)},
        key_);
  }
  return block_[position_++ % 4];
}

uint64_t Philox::Next64() {
  const uint64_t high = Next32();
  return (high << 32) | Next32();
}

double Philox::Uniform() { return static_cast<double>(Next64() >> 11) * 0x1.0p-53; }

uint64_t Philox::Below(uint64_t bound) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  uint64_t draw;
  do {
    draw = Next64();
  } while (draw >= limit);
  return draw % bound;
}

double Philox::Normal() {
  const double u = 1.0 - Uniform();  // (0, 1], so the logarithm is finite
  return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586476925 * Uniform());
}

void Philox::Seek(uint64_t n) {
  position_ = n / 4 * 4;
  while (position_ < n) Next32();
}

}  // namespace scm
