// What the CUDA kernels are handed: one structure by value each, filled by the host and read on the
// device, so both compilers see this file. No headers: NVRTC has none. Strides count elements; `x`
// and its like hold fp32 or bf16, as the last word of the kernel's name says. Blocks have kThreads
// threads in one dimension.
#pragma once

namespace scm::trainer::device {

constexpr int kThreads = 256;

// trainer/compute/dropout.h, for the device. What changes from step to step, key0, key1 and
// first_row, lies behind `keys` where that is not null: an address that stays.
struct MaskKeys {
  unsigned key0, key1, threshold;
  float scale;
  unsigned first_row;
  const unsigned* keys = nullptr;
};

// A block a row.
struct RmsNormArguments {
  const void *x, *w;
  void* y;
  long long x_stride, y_stride;
  int columns;
  float eps;
};

// A block a row; dx is contiguous.
struct RmsNormBackwardArguments {
  const void *dy, *x, *w;
  float* dx;
  long long dy_stride, x_stride;
  int columns;
  float eps;
};

// A block a row. `sign` −1 rotates back.
struct RopeArguments {
  void* x;
  const int* positions;
  const float *cos, *sin;
  long long stride;
  int heads, half;
  float sign;
};

// Any number of blocks.
struct SwiGluArguments {
  const void *gate, *up;
  void* act;
  long long count;
};
struct SwiGluBackwardArguments {
  const void* dact;
  void *gate, *up;
  long long count;
};

// A block a row, contiguous. A row whose label is negative has neither loss nor gradient.
struct CrossEntropyArguments {
  float* logits;
  const long long* labels;
  float* losses;
  int columns;
  float gradient_scale;
};
struct LogSumExpArguments {
  const float* logits;
  float* log_sum;
  long long* arg_max;
  int columns;
};

// Low-rank terms come in tables, an entry for each run of rows with an adapter of its own, so that
// runs that share a pass share a launch. What a row gets does not depend on what else is in the
// table. More row blocks than a table holds are several launches.
constexpr int kMostRowBlocks = 32;

// Long sums are cut into parts of a fixed length, a block each; the block that comes last adds
// those of a result, in their order. `partial` has a place for each part of each result, where
// there is more than one; `tickets` are zero before the launch, and after it.
struct Parts {
  float* partial;
  unsigned* tickets;
};

// u[t, j] = scale · Σ_k mask(x[begin + t, k]) · w(j, k). Blocks: first_tile counts kTileRows rows;
// y has the parts of kPartDepth of the sum, for each of the `rank_tiles` of kTileRank.
constexpr int kTileRows = 32, kTileDepth = 32, kTileRank = 16, kPartDepth = 512;
struct NarrowBlock {
  const float* w;
  float* u;
  long long w_rank, w_depth, u_stride;  // w(j, k) lies at j · w_rank + k · w_depth
  int begin, rows, rank, first_tile;
  float scale;
  MaskKeys mask;
};
struct NarrowProductArguments {
  const void* x;
  long long x_stride;
  int depth, rank_tiles, part_count, count;
  Parts parts;
  NarrowBlock blocks[kMostRowBlocks];
};

// g(j, c) += scale · Σ_t u[t, j] · mask(x[begin + t, c]). Blocks: for each entry its parts of
// kPartRows of the sum, for each part columns / kTileColumns; y: rank / kTileRank.
constexpr int kTileColumns = 32, kPartRows = 256;
struct TallBlock {
  const float* u;
  float* g;
  long long u_stride, g_rank, g_column;  // g(j, c) lies at j · g_rank + c · g_column
  int begin, rows, rank, first_part;
  float scale;
  MaskKeys mask;
};
struct TallProductArguments {
  const void* x;
  long long x_stride;
  int columns, column_tiles, count;
  Parts parts;
  TallBlock blocks[kMostRowBlocks];
};

// y[t, c] = base[t, c] + scale · mask(t, c) · Σ_j u[t, j] · w(j, c) + residual[t, c] for the rows
// of the entries, t counted from `begin` for u and the mask; `residual` may be null, and y base or
// residual. Rank 0: nothing but the residual. Blocks: first_tile counts kWideRows rows; y: columns
// / kThreads.
constexpr int kWideRows = 8;
struct WideBlock {
  const float *u, *w;
  long long u_stride, w_rank, w_column;  // w(j, c) lies at j · w_rank + c · w_column
  int begin, rows, rank, first_tile;
  float scale;
  MaskKeys mask;
};
struct AddLowRankArguments {
  const void *base, *residual;
  void* y;
  long long base_stride, residual_stride, y_stride;
  int columns, count;
  WideBlock blocks[kMostRowBlocks];
};

// A part of a quantised matrix (trainer/compute/quantize), restored: out [rows, columns],
// contiguous, is the matrix from (row, column) on. Blocks: columns / kThreads, any number.
struct RestoreArguments {
  const void* codes;  // nf4: two a byte, the first in the high half; int8: one
  const float* scales;
  const unsigned char* scale_codes;  // nf4 with double quantisation; else null
  const float* values;               // nf4: the 16 of the codes, then the 256 of scale_codes
  void* out;
  long long row, column, matrix_columns;
  int rows, columns;
  float offset;  // nf4 with double quantisation
};

// The adapters of all runs of a process lie one after the other in flat buffers; run s has the
// elements offsets[s] … offsets[s + 1] − 1.
// squares[s] = Σ gradient². Blocks: any number (what `partial` has a place for), runs. `tickets` is
// zero before the launch, and after it.
struct SquaresArguments {
  const float* gradient;
  const long long* offsets;
  double *partial, *squares;
  unsigned* tickets;
};

// Of one run and step, rounded to fp32 once, from double. max_norm 0: no clipping. A run is left as
// it is where `skip` is not 0.
struct AdamWNumbers {
  float rest1, beta2, rest2, epsilon, decay, step_size, inverse_root;
  double max_norm;
  int skip = 0;
};
// Blocks: any number, runs. A run whose squares or loss are not finite is left as it is; `losses`
// may be null.
struct AdamWArguments {
  float* parameter;
  const float* gradient;
  float *m, *v;
  const long long* offsets;
  const AdamWNumbers* numbers;
  const double *squares, *losses;
};

}  // namespace scm::trainer::device
