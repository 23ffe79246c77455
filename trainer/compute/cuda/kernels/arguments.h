// What the CUDA kernels are handed: one structure by value each, filled by the host and read on the
// device, so both compilers see this file. No headers: NVRTC has none. Strides count elements; `x`
// and its like hold fp32 or bf16, as the last word of the kernel's name says. Blocks have kThreads
// threads in one dimension.
#pragma once

namespace scm::trainer::device {

constexpr int kThreads = 256;

// trainer/compute/dropout.h, for the device.
struct MaskKeys {
  unsigned key0, key1, threshold;
  float scale;
  unsigned first_row;
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

// u[t, j] = scale · Σ_k mask(x[t, k]) · w(j, k). Blocks: rows / kTileRows, rank / kTileRank.
constexpr int kTileRows = 32, kTileDepth = 32, kTileRank = 16;
struct NarrowProductArguments {
  const void* x;
  const float* w;
  float* u;
  long long x_stride, u_stride, w_rank, w_depth;  // w(j, k) lies at j · w_rank + k · w_depth
  int rows, depth, rank;
  float scale;
  MaskKeys mask;
};

// g(j, c) += scale · Σ_t u[t, j] · mask(x[t, c]). Blocks: columns / kTileColumns, rank / kTileRank.
constexpr int kTileColumns = 32;
struct TallProductArguments {
  const void* x;
  const float* u;
  float* g;
  long long x_stride, u_stride, g_rank, g_column;  // g(j, c) lies at j · g_rank + c · g_column
  int rows, columns, rank;
  float scale;
  MaskKeys mask;
};

// y[t, c] = base[t, c] + scale · mask(t, c) · Σ_j u[t, j] · w(j, c) + residual[t, c], where
// `residual` may be null; y may be base or residual. Blocks: rows / kWideRows, columns / kThreads.
constexpr int kWideRows = 8;
struct AddLowRankArguments {
  const void *base, *residual;
  void* y;
  const float *u, *w;
  long long base_stride, residual_stride, y_stride, u_stride;
  long long w_rank, w_column;  // w(j, c) lies at j · w_rank + c · w_column
  int rows, columns, rank;
  float scale;
  MaskKeys mask;
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

// Of one run and step, rounded to fp32 once, from double. max_norm 0: no clipping.
struct AdamWNumbers {
  float rest1, beta2, rest2, epsilon, decay, step_size, inverse_root;
  double max_norm;
};
// Blocks: any number, runs.
struct AdamWArguments {
  float* parameter;
  const float* gradient;
  float *m, *v;
  const long long* offsets;
  const AdamWNumbers* numbers;
  const double* squares;
};

}  // namespace scm::trainer::device
