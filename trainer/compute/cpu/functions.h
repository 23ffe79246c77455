// The raw kernels of one instruction set as a table of functions: what CpuKernels calls. Plain
// pointers and sizes only; all sizes in elements, matrices row-major with a row stride. Functions
// use the OpenMP threads of the process and give the same bits for any number of them: every output
// element is summed in one fixed order.
#pragma once

#include <cstdint>

#include "trainer/compute/dropout.h"

namespace scm::trainer {

enum class Element { kFloat, kBFloat16 };

struct ConstMatrix {
  const void* data = nullptr;
  Element type = Element::kFloat;
  int64_t stride = 0;
};
struct Matrix {
  void* data = nullptr;
  Element type = Element::kFloat;
  int64_t stride = 0;
};

// scale · A·B with A [m, k] and B [k, n], or [n, k] when transposed. The mask multiplies A.
struct GemmTerm {
  ConstMatrix a, b;
  bool b_transposed = false;
  // The same by pack_matrix; then the type of b is read, but neither its data nor scale. Or Bᵀ by
  // pack_matrix; then b has no data, but type and stride (n), and scale is 1.
  const float* packed_b = nullptr;
  const float* packed_transpose = nullptr;
  int64_t k = 0;
  float scale = 1;
  Dropout a_dropout;
};
// out = residual + mask ∘ (start + Σ terms). residual.data may be null or out.data itself. start is
// fp32 [m, n], or null; sums go on from it, so that it has the bits of terms before the others.
struct GemmCall {
  int64_t m = 0, n = 0;
  const float* start = nullptr;
  const GemmTerm* terms = nullptr;
  int64_t term_count = 0;
  ConstMatrix residual;
  Matrix out;
  Dropout out_dropout;
};

// out[r, n] += scale · Aᵀ·(mask ∘ B) with A [t, r] and B [t, n]: gradients of the adapters.
struct OuterCall {
  int64_t t = 0, r = 0, n = 0;
  const float* a = nullptr;  // contiguous
  ConstMatrix b;
  Dropout b_dropout;
  float scale = 1;
  float* out = nullptr;  // [r, n], or [n, r] when out_transposed
  bool out_transposed = false;
};

// One document: own rows [start, start + length) see the rows [prefix_start, prefix_start +
// prefix_length) and, causally, themselves.
struct TokenSpan {
  int64_t start = 0, length = 0, prefix_start = 0, prefix_length = 0;
};
// qkv rows hold heads·d queries, kv_heads·d keys, kv_heads·d values. lse is [heads, tokens].
struct AttentionCall {
  const TokenSpan* documents = nullptr;
  int64_t document_count = 0, tokens = 0, heads = 0, kv_heads = 0, head_dim = 0;
  ConstMatrix qkv;
  Matrix out;  // [tokens, heads·d]
  float* lse = nullptr;
  // Backward only; there `out` is read.
  ConstMatrix grad_out;
  Matrix grad_qkv;
};

struct CpuFunctions {
  const char* name;
  void (*gemm)(const GemmCall&);
  // bf16 products are made in bf16, and an fp32 left operand of a bf16 matrix is rounded to it.
  bool bf16_products;
  // Floats of a packed B [k, n] of this type; 0 when it is too narrow to be packed ahead, or would
  // become larger.
  int64_t (*packed_floats)(Element type, int64_t k, int64_t n);
  // Packs B [k, n] of a term.
  void (*pack_matrix)(const GemmTerm& term, int64_t n, float* out);
  // Some rows of Bᵀ [n, k] as they were, out of packed B of this type: out is [count, k].
  void (*unpack_rows)(int64_t k, const float* packed, const int64_t* rows, int64_t count,
                      Element type, void* out);
  void (*outer)(const OuterCall&);
  // y = x / rms(x) rounded to x's type, times w, rounded.
  void (*rms_norm)(int64_t rows, int64_t n, ConstMatrix x, ConstMatrix w, float eps, Matrix y);
  // dx += gradient of rms_norm for dy.
  void (*rms_norm_backward)(int64_t rows, int64_t n, ConstMatrix dy, ConstMatrix x, ConstMatrix w,
                            float eps, float* dx);
  // Rotates the first `heads` heads of every row in place; tables are [position, head_dim / 2].
  // sign −1 rotates back.
  void (*rope)(int64_t rows, int64_t heads, int64_t head_dim, const int32_t* positions,
               const float* cos, const float* sin, float sign, Matrix x);
  void (*attention)(const AttentionCall&);
  void (*attention_backward)(const AttentionCall&);
  // act = silu(gate) ∘ up, contiguous.
  void (*swiglu)(int64_t count, ConstMatrix gate, ConstMatrix up, Matrix act);
  // In place: gate and up become their gradients.
  void (*swiglu_backward)(int64_t count, ConstMatrix dact, Matrix gate, Matrix up);
  // Per row: loss = log Σ exp − logit[label]; logits become gradient_scale · d loss / d logits.
  void (*cross_entropy)(int64_t rows, int64_t n, float* logits, const int64_t* labels,
                        float gradient_scale, float* losses);
  // Per row: log Σ exp and the (first) arg-max.
  void (*log_sum_exp)(int64_t rows, int64_t n, const float* logits, float* out, int64_t* arg_max);
};

// The best table this machine can run; `name` of one of them ("amx", "avx512_bf16",
// "avx512", "avx2", "baseline"), null when the machine or the build lacks it.
const CpuFunctions& BestCpuFunctions();
const CpuFunctions* CpuFunctionsByName(const char* name);

}  // namespace scm::trainer
