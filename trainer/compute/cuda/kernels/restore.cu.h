// Quantised matrices, restored by tiles with the bits of trainer/compute/quantize. Products and
// sums are those of the CPU, which fuses none: __fmul_rn and __fadd_rn keep the compiler from it.
#pragma once

#include "trainer/compute/cuda/kernels/element.cu.h"

namespace scm::trainer::device {

constexpr int kNf4ValuesAScale = 64, kNf4ScalesAScale = 256;  // nf4.h

__device__ inline float Nf4Element(const RestoreArguments& a, unsigned long long at) {
  const unsigned long long block = at / kNf4ValuesAScale;
  float scale;
  if (a.scale_codes == nullptr) {
    scale = a.scales[block];
  } else {
    const float code = a.values[16 + a.scale_codes[block]];
    scale = __fadd_rn(__fmul_rn(code, a.scales[block / kNf4ScalesAScale]), a.offset);
  }
  const unsigned pair = static_cast<const unsigned char*>(a.codes)[at / 2];
  return __fmul_rn(a.values[at % 2 == 0 ? pair >> 4 : pair & 15u], scale);
}

__device__ inline float Int8Element(const RestoreArguments& a, long long row, long long column) {
  const signed char* codes = static_cast<const signed char*>(a.codes) + row * a.matrix_columns;
  const float code = static_cast<float>(codes[column]);
  return __fmul_rn(__fmul_rn(code, a.scales[row]), 7.874015718698502e-3f);
}

template <typename T, bool nf4>
__device__ inline void Restore(const RestoreArguments& a) {
  const int c = blockIdx.x * kThreads + threadIdx.x;
  if (c >= a.columns) return;
  const long long column = a.column + c;
  for (int r = blockIdx.y; r < a.rows; r += gridDim.y) {
    const long long row = a.row + r;
    const float value =
        nf4 ? Nf4Element(a, static_cast<unsigned long long>(row * a.matrix_columns + column))
            : Int8Element(a, row, column);
    Put(static_cast<T*>(a.out) + static_cast<long long>(r) * a.columns + c, value);
  }
}

extern "C" __global__ void scm_restore_nf4_f32(RestoreArguments a) { Restore<float, true>(a); }
extern "C" __global__ void scm_restore_nf4_bf16(RestoreArguments a) { Restore<BFloat, true>(a); }
extern "C" __global__ void scm_restore_int8_f32(RestoreArguments a) { Restore<float, false>(a); }
extern "C" __global__ void scm_restore_int8_bf16(RestoreArguments a) { Restore<BFloat, false>(a); }

}  // namespace scm::trainer::device
