// The low-rank terms of a linear layer, with the dropout mask of each module made where its input
// is read: nothing of it is stored or moved. A launch serves all row blocks of a pass.
#pragma once

#include "trainer/compute/cuda/kernels/element.cu.h"

namespace scm::trainer::device {

// The entry that has tile `tile` of the launch, tiles counted from an entry's `first`.
template <typename Entry>
__device__ inline int EntryOf(const Entry* entries, int count, int Entry::*first, int tile) {
  int i = 0;
  while (i + 1 < count && tile >= entries[i + 1].*first) ++i;
  return i;
}

// Whether this block is the last of the `count` that count at `ticket`, whose results it may then
// read. `last` is a place of shared memory.
__device__ inline bool LastOfParts(unsigned* ticket, int count, int* last) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    *last = atomicAdd(ticket, 1u) + 1 == static_cast<unsigned>(count);
    if (*last) *ticket = 0;
  }
  __syncthreads();
  const bool is_last = *last != 0;
  __threadfence();
  return is_last;
}

// The sum of `count` values that other blocks have written, `stride` apart.
__device__ inline float SumOfParts(const volatile float* partial, int count, long long stride) {
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += partial[i * stride];
  return sum;
}

// A tile of kTileRows × kTileRank results a block; a thread has two of one row.
struct NarrowTile {
  float x[kTileRows][kTileDepth + 1], w[kTileRank][kTileDepth + 1];
  RowKeys keys[kTileRows];
  int last;
};

template <typename T>
__device__ inline void LoadNarrowTile(const NarrowProductArguments& a, const NarrowBlock& b,
                                      int row0, int rank0, int k0, NarrowTile* tile) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, k = k0 + lane;
  for (int r = warp; r < kTileRows; r += kWarps) {
    const int row = row0 + r;
    float value = 0;
    if (row < b.rows && k < a.depth) {
      value = Wide(static_cast<const T*>(a.x)[(b.begin + row) * a.x_stride + k]) *
              Factor(b.mask, tile->keys[r], static_cast<unsigned>(k));
    }
    tile->x[r][lane] = value;
  }
  for (int j = warp; j < kTileRank; j += kWarps) {
    const bool there = rank0 + j < b.rank && k < a.depth;
    tile->w[j][lane] = there ? b.w[(rank0 + j) * b.w_rank + k * b.w_depth] : 0.0f;
  }
}

template <typename T>
__device__ inline void NarrowProduct(const NarrowProductArguments& a, NarrowTile* tile) {
  const int index =
      EntryOf(a.blocks, a.count, &NarrowBlock::first_tile, static_cast<int>(blockIdx.x));
  const NarrowBlock& b = a.blocks[index];
  const int row0 = (static_cast<int>(blockIdx.x) - b.first_tile) * kTileRows;
  const int rank_tile = static_cast<int>(blockIdx.y) % a.rank_tiles;
  const int part = static_cast<int>(blockIdx.y) / a.rank_tiles;
  const int rank0 = rank_tile * kTileRank;
  if (rank0 >= b.rank) return;
  const int r = threadIdx.x % kTileRows, j = threadIdx.x / kTileRows * 2;
  if (threadIdx.x < kTileRows) {
    tile->keys[threadIdx.x] = KeysOfRow(b.mask, row0 + threadIdx.x);
  }
  __syncthreads();
  float sum0 = 0, sum1 = 0;
  const int end = (part + 1) * kPartDepth < a.depth ? (part + 1) * kPartDepth : a.depth;
  for (int k0 = part * kPartDepth; k0 < end; k0 += kTileDepth) {
    LoadNarrowTile<T>(a, b, row0, rank0, k0, tile);
    __syncthreads();
    for (int k = 0; k < kTileDepth; ++k) {
      sum0 += tile->x[r][k] * tile->w[j][k];
      sum1 += tile->x[r][k] * tile->w[j + 1][k];
    }
    __syncthreads();
  }
  if (a.part_count > 1) {
    const long long tiles = static_cast<long long>(gridDim.x) * a.rank_tiles;
    const long long own = static_cast<long long>(blockIdx.x) * a.rank_tiles + rank_tile;
    const long long place = own * 2 * kThreads + threadIdx.x, stride = tiles * 2 * kThreads;
    a.parts.partial[part * stride + place] = sum0;
    a.parts.partial[part * stride + place + kThreads] = sum1;
    if (!LastOfParts(a.parts.tickets + own, a.part_count, &tile->last)) return;
    sum0 = SumOfParts(a.parts.partial + place, a.part_count, stride);
    sum1 = SumOfParts(a.parts.partial + place + kThreads, a.part_count, stride);
  }
  if (row0 + r >= b.rows) return;
  float* u = b.u + (row0 + r) * b.u_stride + rank0 + j;
  if (rank0 + j < b.rank) u[0] = b.scale * sum0;
  if (rank0 + j + 1 < b.rank) u[1] = b.scale * sum1;
}

extern "C" __global__ void scm_narrow_product_f32(
    const __grid_constant__ NarrowProductArguments a) {
  __shared__ NarrowTile tile;
  NarrowProduct<float>(a, &tile);
}
extern "C" __global__ void scm_narrow_product_bf16(
    const __grid_constant__ NarrowProductArguments a) {
  __shared__ NarrowTile tile;
  NarrowProduct<BFloat>(a, &tile);
}

// A tile of kTileColumns × kTileRank results a block. Each warp sums every eighth row; the sums of
// the warps are added in their order.
struct TallTile {
  float part[kWarps][kTileRank][kTileColumns + 1];
  int last;
};

template <typename T>
__device__ inline void SumRows(const TallProductArguments& a, const TallBlock& b, int row0,
                               int column, int rank0, int ranks, float* sum) {
  for (int j = 0; j < kTileRank; ++j) sum[j] = 0;
  const int end = row0 + kPartRows < b.rows ? row0 + kPartRows : b.rows;
  if (column >= a.columns) return;
  for (int t = row0 + static_cast<int>(threadIdx.x) / kWarp; t < end; t += kWarps) {
    const RowKeys keys = KeysOfRow(b.mask, static_cast<unsigned>(t));
    const float x = Wide(static_cast<const T*>(a.x)[(b.begin + t) * a.x_stride + column]) *
                    Factor(b.mask, keys, static_cast<unsigned>(column));
    const float* u = b.u + t * b.u_stride + rank0;
    for (int j = 0; j < kTileRank; ++j) sum[j] += j < ranks ? u[j] * x : 0.0f;
  }
}

template <typename T>
__device__ inline void TallProduct(const TallProductArguments& a, TallTile* tile) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int part_of_all = static_cast<int>(blockIdx.x) / a.column_tiles;
  const int column_tile = static_cast<int>(blockIdx.x) % a.column_tiles;
  const int index = EntryOf(a.blocks, a.count, &TallBlock::first_part, part_of_all);
  const TallBlock& b = a.blocks[index];
  const int part = part_of_all - b.first_part, parts = (b.rows + kPartRows - 1) / kPartRows;
  const int column = column_tile * kTileColumns + lane;
  const int rank0 = static_cast<int>(blockIdx.y) * kTileRank;
  const int ranks = b.rank - rank0 < kTileRank ? b.rank - rank0 : kTileRank;
  if (ranks <= 0) return;
  float sum[kTileRank];
  SumRows<T>(a, b, part * kPartRows, column, rank0, ranks, sum);
  for (int j = 0; j < kTileRank; ++j) tile->part[warp][j][lane] = sum[j];
  __syncthreads();
  // Of the parts of an entry, and of the tiles of a part.
  const long long tiles = static_cast<long long>(a.column_tiles) * gridDim.y;
  const long long own = static_cast<long long>(column_tile) * gridDim.y + blockIdx.y;
  const long long stride = tiles * (kTileRank * kTileColumns);
  float* const partial =
      parts == 1 ? nullptr
                 : a.parts.partial + b.first_part * stride + own * (kTileRank * kTileColumns);
  float total[kTileRank / kWarps];
  for (int i = 0; i < kTileRank / kWarps; ++i) {
    const int j = warp + i * kWarps;
    total[i] = 0;
    for (int w = 0; w < kWarps; ++w) total[i] += tile->part[w][j][lane];
    if (parts > 1) partial[part * stride + j * kTileColumns + lane] = total[i];
  }
  if (parts > 1) {
    unsigned* const ticket = a.parts.tickets + (index * tiles + own);
    if (!LastOfParts(ticket, parts, &tile->last)) return;
  }
  for (int i = 0; i < kTileRank / kWarps; ++i) {
    const int j = warp + i * kWarps;
    if (parts > 1) total[i] = SumOfParts(partial + j * kTileColumns + lane, parts, stride);
    if (j >= ranks || column >= a.columns) continue;
    b.g[(rank0 + j) * b.g_rank + column * b.g_column] += b.scale * total[i];
  }
}

extern "C" __global__ void scm_tall_product_f32(const __grid_constant__ TallProductArguments a) {
  __shared__ TallTile tile;
  TallProduct<float>(a, &tile);
}
extern "C" __global__ void scm_tall_product_bf16(const __grid_constant__ TallProductArguments a) {
  __shared__ TallTile tile;
  TallProduct<BFloat>(a, &tile);
}

// A thread has one column of kWideRows rows.
struct WideTile {
  float u[kWideRows][kTileRank];
};

// Σ_j u[t, j] · w(j, c) of the rows from row0 on.
__device__ inline void WideSums(const WideBlock& b, int row0, int c, int columns, WideTile* tile,
                                float* sum) {
  for (int r = 0; r < kWideRows; ++r) sum[r] = 0;
  for (int rank0 = 0; rank0 < b.rank; rank0 += kTileRank) {
    if (threadIdx.x < kWideRows * kTileRank) {
      const int r = threadIdx.x / kTileRank, j = threadIdx.x % kTileRank;
      const bool there = row0 + r < b.rows && rank0 + j < b.rank;
      tile->u[r][j] = there ? b.u[(row0 + r) * b.u_stride + rank0 + j] : 0.0f;
    }
    __syncthreads();
    float w[kTileRank];
    for (int j = 0; j < kTileRank; ++j) {
      const bool there = c < columns && rank0 + j < b.rank;
      w[j] = there ? b.w[(rank0 + j) * b.w_rank + c * b.w_column] : 0.0f;
    }
    for (int r = 0; r < kWideRows; ++r) {
      for (int j = 0; j < kTileRank; ++j) sum[r] += tile->u[r][j] * w[j];
    }
    __syncthreads();
  }
}

template <typename T>
__device__ inline void AddLowRank(const AddLowRankArguments& a, WideTile* tile) {
  const WideBlock& b =
      a.blocks[EntryOf(a.blocks, a.count, &WideBlock::first_tile, static_cast<int>(blockIdx.x))];
  const int row0 = (static_cast<int>(blockIdx.x) - b.first_tile) * kWideRows;
  const int c = blockIdx.y * kThreads + threadIdx.x;
  float sum[kWideRows];
  WideSums(b, row0, c, a.columns, tile, sum);
  for (int r = 0; c < a.columns && r < kWideRows && row0 + r < b.rows; ++r) {
    const long long row = b.begin + row0 + r;
    const RowKeys keys = KeysOfRow(b.mask, static_cast<unsigned>(row0 + r));
    float value = Wide(static_cast<const T*>(a.base)[row * a.base_stride + c]);
    if (b.rank > 0) value += sum[r] * b.scale * Factor(b.mask, keys, static_cast<unsigned>(c));
    if (a.residual != nullptr) {
      value += Wide(static_cast<const T*>(a.residual)[row * a.residual_stride + c]);
    }
    Put(static_cast<T*>(a.y) + row * a.y_stride + c, value);
  }
}

extern "C" __global__ void scm_add_low_rank_f32(const __grid_constant__ AddLowRankArguments a) {
  __shared__ WideTile tile;
  AddLowRank<float>(a, &tile);
}
extern "C" __global__ void scm_add_low_rank_bf16(const __grid_constant__ AddLowRankArguments a) {
  __shared__ WideTile tile;
  AddLowRank<BFloat>(a, &tile);
}

}  // namespace scm::trainer::device
