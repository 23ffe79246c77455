// Vectors of the instruction set this translation unit is compiled for, by GCC/Clang vector
// extensions, so that one source serves every set. Everything lives in a namespace of its own per
// set (SCM_ISA), and no library template is instantiated here: otherwise the linker could pick a
// copy with instructions the machine lacks.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "trainer/compute/dropout.h"

namespace scm::trainer {
namespace SCM_ISA {

// SCM_WIDE: as for AVX-512, in whatever registers there are, so that every machine can test it.
#if defined(__AVX512F__) || defined(SCM_WIDE)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float VecF __attribute__((vector_size(4 * kLanes)));
typedef int32_t VecI __attribute__((vector_size(4 * kLanes)));
typedef uint32_t VecU __attribute__((vector_size(4 * kLanes)));
typedef uint16_t VecH __attribute__((vector_size(2 * kLanes)));
typedef float VecFUnaligned __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef uint16_t VecHUnaligned __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));

struct BFloat16 {
  uint16_t bits;
};

inline VecF Splat(float x) { return VecF{} + x; }
inline VecU SplatU(uint32_t x) { return VecU{} + x; }
inline VecF Select(VecI mask, VecF yes, VecF no) { return mask ? yes : no; }
inline VecF Max(VecF a, VecF b) { return Select(a > b, a, b); }
inline VecI LaneIndex() {
  VecI lanes{};
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return lanes;
}

inline float ToFloat(float x) { return x; }
inline float ToFloat(BFloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}
// Round to nearest even; NaN stays NaN.
inline void Put(float* out, float x) { *out = x; }
inline void Put(BFloat16* out, float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
  out->bits = static_cast<uint16_t>(x != x ? 0x7fc0u : rounded);
}

inline VecF Load(const float* p) { return *reinterpret_cast<const VecFUnaligned*>(p); }
inline VecF Load(const BFloat16* p) {
  const VecH half = *reinterpret_cast<const VecHUnaligned*>(p);
  return reinterpret_cast<VecF>(__builtin_convertvector(half, VecU) << 16);
}
inline void Store(float* p, VecF x) { *reinterpret_cast<VecFUnaligned*>(p) = x; }
inline void Store(BFloat16* p, VecF x) {
#if defined(__AVX512BF16__)
  // The same rounding; what is too small for a normal number becomes zero, as in bf16 products.
  *reinterpret_cast<VecHUnaligned*>(p) =
      reinterpret_cast<VecH>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(x)));
#else
  const VecU bits = reinterpret_cast<VecU>(x);
  VecU rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
  rounded = x != x ? SplatU(0x7fc0u) : rounded;
  *reinterpret_cast<VecHUnaligned*>(p) = __builtin_convertvector(rounded, VecH);
#endif
}

// The first n < kLanes elements, zero beyond; and the counterpart.
template <typename T>
inline VecF LoadPart(const T* p, int64_t n) {
  VecF x{};
  for (int64_t i = 0; i < n; ++i) x[i] = ToFloat(p[i]);
  return x;
}
template <typename T>
inline void StorePart(T* p, VecF x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) Put(p + i, x[i]);
}

// Lane by lane in a fixed order: the same bits for every thread count.
inline float Sum(VecF x) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += x[i];
  return sum;
}
inline float MaxOf(VecF x) {
  float best = x[0];
  for (int i = 1; i < kLanes; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

// eˣ by range reduction and a degree-6 polynomial (relative error 2e-7); 0 below −87, NaN stays
// NaN.
inline VecF Exp(VecF x) {
  const VecF clamped = Select(x > 88.0f, Splat(88.0f), Select(x < -87.0f, Splat(-87.0f), x));
  const VecF magic = Splat(12582912.0f);  // 1.5 · 2²³: adding it rounds to an integer
  const VecF shifted = clamped * 1.44269504088896341f + magic;
  const VecF n = shifted - magic;
  VecF r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  VecF p = Splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const VecI exponent = (reinterpret_cast<VecI>(shifted) + 127) << 23;
  const VecF result = p * reinterpret_cast<VecF>(exponent);
  return Select(x < -87.0f, VecF{}, result);
}

// The functions of trainer/compute/dropout.h once more, so that no inline function is shared with
// code for other instruction sets.
struct RowKeys {
  uint32_t k0, k1;
};
inline uint32_t Mix(uint32_t x, uint32_t key) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= (x >> 15) ^ key;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return x;
}
inline RowKeys MakeRowKeys(const Dropout& d, int64_t row) {
  const uint32_t r = static_cast<uint32_t>(row) + d.first_row;
  return {Mix(r + d.key0, d.key1), Mix((r ^ 0x5851f42du) + d.key1, d.key0)};
}
// Factors 0 or scale of kLanes columns from `column` on.
inline VecF DropoutFactors(const Dropout& d, const RowKeys& row, int64_t column) {
  VecU x =
      (reinterpret_cast<VecU>(LaneIndex()) + static_cast<uint32_t>(column)) * 0x9E3779B1u + row.k0;
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= (x >> 15) ^ row.k1;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return (x < d.threshold) ? VecF{} : Splat(d.scale);
}

// A growing, 64-byte aligned block of memory of one thread.
class Scratch {
 public:
  ~Scratch() { __builtin_free(raw_); }
  float* Get(int64_t floats) {
    if (floats > size_) {
      __builtin_free(raw_);
      raw_ = __builtin_malloc(static_cast<size_t>(floats) * 4 + 64);
      size_ = raw_ == nullptr ? 0 : floats;
      if (raw_ == nullptr) __builtin_trap();
    }
    const uintptr_t address = (reinterpret_cast<uintptr_t>(raw_) + 63) & ~uintptr_t{63};
    return reinterpret_cast<float*>(address);
  }

 private:
  void* raw_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace SCM_ISA
}  // namespace scm::trainer
