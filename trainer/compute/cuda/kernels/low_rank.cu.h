// The low-rank terms of a linear layer, with the dropout mask of each module made where its input
// is read: nothing of it is stored or moved.
#pragma once

#include "trainer/compute/cuda/kernels/element.cu.h"

namespace scm::trainer::device {

// A tile of kTileRows × kTileRank results a block; a thread has two of one row.
struct NarrowTile {
  float x[kTileRows][kTileDepth + 1], w[kTileRank][kTileDepth + 1];
  RowKeys keys[kTileRows];
};

template <typename T>
__device__ inline void LoadNarrowTile(const NarrowProductArguments& a, int row0, int rank0, int k0,
                                      NarrowTile* tile) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, k = k0 + lane;
  for (int r = warp; r < kTileRows; r += kWarps) {
    const int row = row0 + r;
    float value = 0;
    if (row < a.rows && k < a.depth) {
      value = Wide(static_cast<const T*>(a.x)[row * a.x_stride + k]) *
              Factor(a.mask, tile->keys[r], static_cast<unsigned>(k));
    }
    tile->x[r][lane] = value;
  }
  for (int j = warp; j < kTileRank; j += kWarps) {
    const bool there = rank0 + j < a.rank && k < a.depth;
    tile->w[j][lane] = there ? a.w[(rank0 + j) * a.w_rank + k * a.w_depth] : 0.0f;
  }
}

template <typename T>
__device__ inline void NarrowProduct(const NarrowProductArguments& a, NarrowTile* tile) {
  const int row0 = blockIdx.x * kTileRows, rank0 = blockIdx.y * kTileRank;
  const int r = threadIdx.x % kTileRows, j = threadIdx.x / kTileRows * 2;
  if (threadIdx.x < kTileRows) {
    tile->keys[threadIdx.x] = KeysOfRow(a.mask, row0 + threadIdx.x);
  }
  __syncthreads();
  float sum0 = 0, sum1 = 0;
  for (int k0 = 0; k0 < a.depth; k0 += kTileDepth) {
    LoadNarrowTile<T>(a, row0, rank0, k0, tile);
    __syncthreads();
    for (int k = 0; k < kTileDepth; ++k) {
      sum0 += tile->x[r][k] * tile->w[j][k];
      sum1 += tile->x[r][k] * tile->w[j + 1][k];
    }
    __syncthreads();
  }
  if (row0 + r >= a.rows) return;
  float* u = a.u + (row0 + r) * a.u_stride + rank0 + j;
  if (rank0 + j < a.rank) u[0] = a.scale * sum0;
  if (rank0 + j + 1 < a.rank) u[1] = a.scale * sum1;
}

extern "C" __global__ void scm_narrow_product_f32(NarrowProductArguments a) {
  __shared__ NarrowTile tile;
  NarrowProduct<float>(a, &tile);
}
extern "C" __global__ void scm_narrow_product_bf16(NarrowProductArguments a) {
  __shared__ NarrowTile tile;
  NarrowProduct<BFloat>(a, &tile);
}

// A tile of kTileColumns × kTileRank results a block. Each warp sums every eighth row; the sums of
// the warps are added in their order.
struct TallTile {
  float part[kWarps][kTileRank][kTileColumns + 1];
};

template <typename T>
__device__ inline void TallProduct(const TallProductArguments& a, TallTile* tile) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int column0 = blockIdx.x * kTileColumns, rank0 = blockIdx.y * kTileRank;
  const int c = column0 + lane;
  const int ranks = a.rank - rank0 < kTileRank ? a.rank - rank0 : kTileRank;
  float sum[kTileRank];
  for (int j = 0; j < kTileRank; ++j) sum[j] = 0;
  for (int t = warp; c < a.columns && t < a.rows; t += kWarps) {
    const RowKeys keys = KeysOfRow(a.mask, static_cast<unsigned>(t));
    const float x = Wide(static_cast<const T*>(a.x)[t * a.x_stride + c]) *
                    Factor(a.mask, keys, static_cast<unsigned>(c));
    const float* u = a.u + t * a.u_stride + rank0;
    for (int j = 0; j < kTileRank; ++j) sum[j] += j < ranks ? u[j] * x : 0.0f;
  }
  for (int j = 0; j < kTileRank; ++j) tile->part[warp][j][lane] = sum[j];
  __syncthreads();
  for (int j = warp; j < ranks && c < a.columns; j += kWarps) {
    float total = 0;
    for (int w = 0; w < kWarps; ++w) total += tile->part[w][j][lane];
    a.g[(rank0 + j) * a.g_rank + c * a.g_column] += a.scale * total;
  }
}

extern "C" __global__ void scm_tall_product_f32(TallProductArguments a) {
  __shared__ TallTile tile;
  TallProduct<float>(a, &tile);
}
extern "C" __global__ void scm_tall_product_bf16(TallProductArguments a) {
  __shared__ TallTile tile;
  TallProduct<BFloat>(a, &tile);
}

// A thread has one column of kWideRows rows.
struct WideTile {
  float u[kWideRows][kTileRank];
};

template <typename T>
__device__ inline void AddLowRank(const AddLowRankArguments& a, WideTile* tile) {
  const int row0 = blockIdx.x * kWideRows, c = blockIdx.y * kThreads + threadIdx.x;
  float sum[kWideRows];
  for (int r = 0; r < kWideRows; ++r) sum[r] = 0;
  for (int rank0 = 0; rank0 < a.rank; rank0 += kTileRank) {
    if (threadIdx.x < kWideRows * kTileRank) {
      const int r = threadIdx.x / kTileRank, j = threadIdx.x % kTileRank;
      const bool there = row0 + r < a.rows && rank0 + j < a.rank;
      tile->u[r][j] = there ? a.u[(row0 + r) * a.u_stride + rank0 + j] : 0.0f;
    }
    __syncthreads();
    for (int j = 0; c < a.columns && j < kTileRank && rank0 + j < a.rank; ++j) {
      const float w = a.w[(rank0 + j) * a.w_rank + c * a.w_column];
      for (int r = 0; r < kWideRows; ++r) sum[r] += tile->u[r][j] * w;
    }
    __syncthreads();
  }
  for (int r = 0; c < a.columns && r < kWideRows && row0 + r < a.rows; ++r) {
    const long long row = row0 + r;
    const RowKeys keys = KeysOfRow(a.mask, static_cast<unsigned>(row));
    float value = Wide(static_cast<const T*>(a.base)[row * a.base_stride + c]) +
                  sum[r] * a.scale * Factor(a.mask, keys, static_cast<unsigned>(c));
    if (a.residual != nullptr) {
      value += Wide(static_cast<const T*>(a.residual)[row * a.residual_stride + c]);
    }
    Put(static_cast<T*>(a.y) + row * a.y_stride + c, value);
  }
}

extern "C" __global__ void scm_add_low_rank_f32(AddLowRankArguments a) {
  __shared__ WideTile tile;
  AddLowRank<float>(a, &tile);
}
extern "C" __global__ void scm_add_low_rank_bf16(AddLowRankArguments a) {
  __shared__ WideTile tile;
  AddLowRank<BFloat>(a, &tile);
}

}  // namespace scm::trainer::device
