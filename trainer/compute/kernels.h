// The numeric operations of the compute core. Three implementations: CpuKernels (own vector code,
// one table per instruction set, trainer/compute/cpu), CudaKernels (own kernels for GPUs,
// trainer/compute/cuda) and AtenKernels (plain ATen operations, which any device runs and which the
// tests compare the fast ones with). Tensors are 2-D [tokens, features] with unit
// stride in the last dimension unless said otherwise; rows may be strided. Activations have the
// model's type (fp32 or bf16), adapters, log-sum-exps and the gradient of the residual stream fp32.
// One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/dropout.h"
#include "trainer/compute/quantize/quantized_matrix.h"

namespace scm::trainer {

// A frozen matrix [out, in], held once. Kernels that read another form faster make it in Pack, and
// drop `plain`. A quantised one has no plain form: `type` is what its values are restored to.
struct FrozenMatrix {
  FrozenMatrix() = default;
  FrozenMatrix(at::Tensor matrix)  // NOLINT: a plain tensor is one
      : plain(std::move(matrix)), out(plain.size(0)), in(plain.size(1)) {}
  FrozenMatrix(std::shared_ptr<const QuantizedMatrix> matrix, at::ScalarType restored)
      : quantized(std::move(matrix)),
        type(restored),
        out(quantized->rows()),
        in(quantized->columns()) {}

  at::Tensor plain;
  at::Tensor packed;  // what products in both directions read; of a quantised one the codes
  std::shared_ptr<const QuantizedMatrix> quantized;
  at::ScalarType type = at::kFloat;  // of what is packed, or restored
  int64_t out = 0, in = 0;
};

// The low-rank part of one linear layer: scale · u·bᵀ, u = (mask ∘ x)·aᵀ.
struct LoraTerm {
  at::Tensor u;  // [tokens, r] fp32
  at::Tensor b;  // [out, r]
  float scale = 1;
};

// The low-rank part of some rows of a linear layer. Where several runs share a product, each has a
// row block.
struct LoraBlock {
  int64_t begin = 0, rows = 0;
  LoraTerm term;  // without u: the rows have no low-rank part
};

// An adapter of rows [begin, begin + rows): what the low-rank operations read and write of it.
struct AdapterRows {
  int64_t begin = 0, rows = 0;
  at::Tensor a, b;   // [r, in], [out, r]
  at::Tensor u, du;  // [rows, r] fp32
  float scale = 1;
  Dropout dropout;
  at::Tensor grad_a, grad_b;
};

// dx += dy·w; both may be several pairs that sum into one dx.
struct GradientTerm {
  at::Tensor dy;  // [tokens, out]
  FrozenMatrix w;
};

inline bool AnyQuantized(const std::vector<GradientTerm>& terms) {
  return std::any_of(terms.begin(), terms.end(),
                     [](const GradientTerm& term) { return term.w.quantized != nullptr; });
}

struct AttentionShape {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
};

class Launcher;  // trainer/compute/cuda/launcher.h

class Kernels {
 public:
  virtual ~Kernels() = default;
  // Runs own kernels on the device; null where there are none. Lives as long as the kernels.
  virtual Launcher* launcher() { return nullptr; }
  // Whether a pass in a model of `type` can be recorded and replayed: no operation reads on the
  // host what changes from pass to pass.
  virtual bool CanRecord(at::ScalarType /*type*/, const AttentionShape& /*shape*/) { return false; }

  // y = x / √(mean x² + eps), rounded to the type of x, times w.
  virtual void RmsNorm(const at::Tensor& x, const at::Tensor& w, double eps, at::Tensor& y) = 0;
  // dx (fp32, contiguous) += the gradient for dy.
  virtual void RmsNormBackward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& w,
                               double eps, at::Tensor& dx) = 0;

  // Brings w into the form that Linear and LinearBackward read fastest, at the same size; a
  // quantised one to the device. Costs time once; called again it does nothing.
  virtual void Pack(FrozenMatrix* /*w*/) {}
  // Rows of w, packed or not: y [rows, in] of the type of w. `rows` is int64 on the device.
  virtual void Rows(const FrozenMatrix& w, const at::Tensor& rows, at::Tensor& y);
  // y = residual + x·wᵀ + the low-rank part. `lora` may be null, `residual` undefined or y itself.
  virtual void Linear(const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
                      const at::Tensor& residual, at::Tensor& y) = 0;
  // The same with a low-rank part for each row block; the blocks follow each other and are all
  // rows. A row has the bits that it has by Linear alone.
  virtual void LinearOfBlocks(const at::Tensor& x, const FrozenMatrix& w,
                              const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                              at::Tensor& y);
  // dx = Σ terms (overwrites; any type).
  virtual void LinearBackward(const std::vector<GradientTerm>& terms, at::Tensor& dx) = 0;

  // u = (mask ∘ x)·aᵀ with a [r, in].
  virtual void LoraDown(const at::Tensor& x, const at::Tensor& a, const Dropout& dropout,
                        at::Tensor& u) = 0;
  // du = scale · dy·b.
  virtual void LoraUpBackward(const at::Tensor& dy, const at::Tensor& b, float scale,
                              at::Tensor& du) = 0;
  // grad_b += scale · dyᵀ·u, grad_a += duᵀ·(mask ∘ x).
  virtual void LoraGradients(const at::Tensor& dy, const at::Tensor& u, float scale,
                             const at::Tensor& du, const at::Tensor& x, const Dropout& dropout,
                             at::Tensor& grad_a, at::Tensor& grad_b) = 0;
  // dx += mask ∘ (du·a).
  virtual void LoraDownBackward(const at::Tensor& du, const at::Tensor& a, const Dropout& dropout,
                                at::Tensor& dx) = 0;
  // The same for the adapters of several row blocks, which do not overlap: LoraDown; then
  // LoraUpBackward, LoraGradients and, unless dx is null, LoraDownBackward. A row has the bits that
  // it has by these alone.
  virtual void LoraDownOfBlocks(const at::Tensor& x, std::vector<AdapterRows>& blocks);
  virtual void LoraBackwardOfBlocks(const at::Tensor& dy, const at::Tensor& x,
                                    std::vector<AdapterRows>& blocks, at::Tensor* dx);

  // Rotates the first `heads` heads of every row of x in place. positions is int32 [tokens], cos
  // and sin are fp32 [positions, head_dim / 2]. `inverse` rotates back (the gradient).
  virtual void Rope(at::Tensor& x, int64_t heads, int64_t head_dim, const at::Tensor& positions,
                    const at::Tensor& cos, const at::Tensor& sin, bool inverse) = 0;
  // Brings to the device what Attention reads of `documents`, so that passes over them copy
  // nothing. Without it, the first Attention does. What a recorded pass has to hold for may be more
  // than is here: up to `most` documents of up to `longest` tokens; addresses stay while these do.
  virtual void PrepareAttention(const std::vector<TokenSpan>& /*documents*/, int64_t /*most*/ = 0,
                                int64_t /*longest*/ = 0) {}
  // qkv rows hold queries, keys and values; out [tokens, heads·d]; lse fp32 [heads, tokens] may be
  // undefined. Documents that share a prefix are for the forward pass only.
  virtual void Attention(const at::Tensor& qkv, const AttentionShape& shape,
                         const std::vector<TokenSpan>& documents, at::Tensor& out,
                         at::Tensor& lse) = 0;
  virtual void AttentionBackward(const at::Tensor& qkv, const at::Tensor& out,
                                 const at::Tensor& lse, const at::Tensor& grad_out,
                                 const AttentionShape& shape,
                                 const std::vector<TokenSpan>& documents, at::Tensor& grad_qkv) = 0;

  // act = silu(gate) ∘ up. All contiguous.
  virtual void SwiGlu(const at::Tensor& gate, const at::Tensor& up, at::Tensor& act) = 0;
  // gate and up become their gradients.
  virtual void SwiGluBackward(const at::Tensor& dact, at::Tensor& gate, at::Tensor& up) = 0;

  // Per row: losses (fp32) = −log softmax(logits)[label]; logits (fp32, contiguous) become
  // gradient_scale · d loss / d logits. labels is int64; below 0: no label, so neither loss nor
  // gradient.
  virtual void CrossEntropy(at::Tensor& logits, const at::Tensor& labels, double gradient_scale,
                            at::Tensor& losses) = 0;
  // Per row of fp32 logits: log Σ exp, and the first arg-max (int64).
  virtual void LogSumExp(const at::Tensor& logits, at::Tensor& log_sum, at::Tensor& arg_max) = 0;
};

std::unique_ptr<Kernels> MakeAtenKernels();
// `table` null = the best instruction set of this machine.
std::unique_ptr<Kernels> MakeCpuKernels(const CpuFunctions* table = nullptr);

}  // namespace scm::trainer
