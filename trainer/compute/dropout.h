// Dropout masks as a pure function of (seed, step, micro step, layer, module, row, column): nothing
// is stored, the backward pass draws the same mask again, and a resumed run draws the same ones.
// The scalar form here defines the masks; the vector form in trainer/compute/cpu/simd.h must agree
// with it.
#pragma once

#include <cstdint>

namespace scm::trainer {

// One module's mask of one micro-batch. rate == 0 means no dropout.
struct Dropout {
  uint32_t key0 = 0, key1 = 0;
  uint32_t threshold = 0;  // an element is dropped when its hash is below this: rate · 2³²
  float scale = 1;         // of the elements that stay: 1 / (1 − rate)
  uint32_t first_row = 0;  // what row 0 of the operands is in the micro-batch
  // The same key0, key1 and first_row on a GPU, for kernels that read them when they run; or null.
  const uint32_t* device_keys = nullptr;
  bool active() const { return threshold != 0; }
};

// Keys by Philox under `seed`; module is 0…6 in the order q k v o gate up down.
Dropout MakeDropout(double rate, uint64_t seed, int64_t step, int64_t micro_step, int64_t layer,
                    int64_t module);

// An integer mixer with low bias (two multiply rounds), keyed in the middle.
inline uint32_t DropoutMix(uint32_t x, uint32_t key) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= (x >> 15) ^ key;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return x;
}
// Keys of one row (token), from which the columns are counted.
struct DropoutRow {
  uint32_t k0, k1;
};
inline DropoutRow MakeDropoutRow(const Dropout& d, int64_t row) {
  const uint32_t r = static_cast<uint32_t>(row) + d.first_row;
  return {DropoutMix(r + d.key0, d.key1), DropoutMix((r ^ 0x5851f42du) + d.key1, d.key0)};
}
// The factor of one element: 0, or 1 / (1 − rate).
inline float DropoutFactor(const Dropout& d, int64_t row, int64_t column) {
  if (!d.active()) return 1;
  const DropoutRow r = MakeDropoutRow(d, row);
  const uint32_t hash = DropoutMix(static_cast<uint32_t>(column) * 0x9E3779B1u + r.k0, r.k1);
  return hash < d.threshold ? 0.0f : d.scale;
}

}  // namespace scm::trainer
