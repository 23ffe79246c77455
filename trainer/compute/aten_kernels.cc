// Kernels in plain ATen operations: any device, any layout; the reference of the fast CPU kernels.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "trainer/compute/kernels.h"
#include "trainer/compute/tiled_products.h"

namespace scm::trainer {
namespace {

at::Tensor Float(const at::Tensor& t) { return t.to(at::kFloat); }

// The mask as a tensor on the CPU, moved to where it is needed. Integers are 64 bit wide because
// ATen has no full set of unsigned operations; every step is cut to 32 bits.
at::Tensor Factors(const Dropout& d, int64_t rows, int64_t columns, const at::Device& device) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(device);
  const int64_t cut = 0xffffffff;
  std::vector<int64_t> keys(static_cast<size_t>(2 * rows));
  for (int64_t r = 0; r < rows; ++r) {
    const DropoutRow row = MakeDropoutRow(d, r);
    keys[static_cast<size_t>(2 * r)] = row.k0;
    keys[static_cast<size_t>(2 * r + 1)] = row.k1;
  }
  const at::Tensor k = at::tensor(keys, at::kLong).view({rows, 2}).to(device);
  at::Tensor x = at::arange(columns, options).mul(0x9E3779B1LL).bitwise_and(cut).unsqueeze(0);
  x = (x + k.select(1, 0).unsqueeze(1)).bitwise_and(cut);
  x = x.bitwise_xor(x.bitwise_right_shift(16));
  x = (x * 0x7feb352dLL).bitwise_and(cut);
  x = x.bitwise_xor(x.bitwise_right_shift(15)).bitwise_xor(k.select(1, 1).unsqueeze(1));
  x = (x * 0x846ca68bLL).bitwise_and(cut);
  x = x.bitwise_xor(x.bitwise_right_shift(16));
  return x.ge(static_cast<int64_t>(d.threshold)).to(at::kFloat).mul(d.scale);
}

at::Tensor Masked(const at::Tensor& x, const Dropout& d) {
  const at::Tensor wide = Float(x);
  return d.active() ? wide * Factors(d, x.size(0), x.size(1), x.device()) : wide;
}

// Queries, keys and values of one document as [heads, length, d] fp32, keys repeated per group.
struct Heads {
  at::Tensor q, k, v, mask;
};

at::Tensor HeadsOf(const at::Tensor& qkv, int64_t start, int64_t length, int64_t first,
                   int64_t count, int64_t d) {
  return Float(qkv.narrow(0, start, length).narrow(1, first * d, count * d))
      .view({length, count, d})
      .transpose(0, 1);
}

Heads Split(const at::Tensor& qkv, const AttentionShape& s, const TokenSpan& doc) {
  const auto keys = [&](int64_t first) {
    const at::Tensor own = HeadsOf(qkv, doc.start, doc.length, first, s.kv_heads, s.head_dim);
    const at::Tensor prefix =
        HeadsOf(qkv, doc.prefix_start, doc.prefix_length, first, s.kv_heads, s.head_dim);
    return at::cat({prefix, own}, 1).repeat_interleave(s.heads / s.kv_heads, 0);
  };
  Heads h;
  h.q = HeadsOf(qkv, doc.start, doc.length, 0, s.heads, s.head_dim);
  h.k = keys(s.heads);
  h.v = keys(s.heads + s.kv_heads);
  h.mask = at::ones({doc.length, doc.prefix_length + doc.length},
                    at::TensorOptions().dtype(at::kBool).device(qkv.device()))
               .tril(doc.prefix_length)
               .logical_not();
  return h;
}

at::Tensor MaskedScores(const Heads& h, int64_t d) {
  return at::matmul(h.q, h.k.transpose(1, 2))
      .div(std::sqrt(static_cast<double>(d)))
      .masked_fill(h.mask, -INFINITY);
}

class AtenKernels : public Kernels {
 public:
  void RmsNorm(const at::Tensor& x, const at::Tensor& w, double eps, at::Tensor& y) override {
    const at::Tensor wide = Float(x);
    y.copy_((wide * wide.square().mean(-1, true).add(eps).rsqrt()).to(x.scalar_type()) * w);
  }
  void RmsNormBackward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& w, double eps,
                       at::Tensor& dx) override {
    const at::Tensor wide = Float(x), g = Float(dy) * Float(w);
    const at::Tensor inverse = wide.square().mean(-1, true).add(eps).rsqrt();
    const at::Tensor mean = (g * wide).mean(-1, true) * inverse.square();
    dx.add_((g - wide * mean) * inverse);
  }

  void Linear(const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
              const at::Tensor& residual, at::Tensor& y) override {
    if (w.quantized != nullptr) return tiled_.Linear(*this, x, w, lora, residual, y);
    at::Tensor sum = Product(x, w.plain.t());
    if (lora != nullptr) sum = Float(sum) + at::mm(lora->u, lora->b.t()) * lora->scale;
    if (residual.defined()) sum = sum + residual;
    y.copy_(sum);
  }
  void LinearBackward(const std::vector<GradientTerm>& terms, at::Tensor& dx) override {
    if (AnyQuantized(terms)) return tiled_.LinearBackward(*this, terms, dx);
    at::Tensor sum;
    for (const GradientTerm& term : terms) {
      const at::Tensor part = Product(term.dy, term.w.plain);
      sum = sum.defined() ? sum + part : part;
    }
    dx.copy_(sum);
  }

  void LoraDown(const at::Tensor& x, const at::Tensor& a, const Dropout& dropout,
                at::Tensor& u) override {
    u.copy_(at::mm(Masked(x, dropout), a.t()));
  }
  void LoraUpBackward(const at::Tensor& dy, const at::Tensor& b, float scale,
                      at::Tensor& du) override {
    du.copy_(at::mm(Float(dy), b) * scale);
  }
  void LoraGradients(const at::Tensor& dy, const at::Tensor& u, float scale, const at::Tensor& du,
                     const at::Tensor& x, const Dropout& dropout, at::Tensor& grad_a,
                     at::Tensor& grad_b) override {
    grad_b.add_(at::mm(Float(dy).t(), u), scale);
    grad_a.add_(at::mm(du.t(), Masked(x, dropout)));
  }
  void LoraDownBackward(const at::Tensor& du, const at::Tensor& a, const Dropout& dropout,
                        at::Tensor& dx) override {
    dx.add_(Masked(at::mm(du, a), dropout));
  }

  void Rope(at::Tensor& x, int64_t heads, int64_t head_dim, const at::Tensor& positions,
            const at::Tensor& cos, const at::Tensor& sin, bool inverse) override {
    const int64_t rows = x.size(0), half = head_dim / 2;
    at::Tensor part = x.narrow(1, 0, heads * head_dim);
    const at::Tensor wide = Float(part).view({rows, heads, 2, half});
    const at::Tensor at = positions.to(at::kLong);
    const at::Tensor c = cos.index_select(0, at).unsqueeze(1);
    const at::Tensor s = sin.index_select(0, at).unsqueeze(1) * (inverse ? -1.0 : 1.0);
    const at::Tensor low = wide.select(2, 0), high = wide.select(2, 1);
    part.copy_(
        at::stack({low * c - high * s, high * c + low * s}, 2).view({rows, heads * head_dim}));
  }

  void Attention(const at::Tensor& qkv, const AttentionShape& s,
                 const std::vector<TokenSpan>& documents, at::Tensor& out,
                 at::Tensor& lse) override {
    for (const TokenSpan& doc : documents) {
      const Heads h = Split(qkv, s, doc);
      const at::Tensor scores = MaskedScores(h, s.head_dim);
      const at::Tensor o = at::matmul(at::softmax(scores, -1), h.v);
      out.narrow(0, doc.start, doc.length)
          .copy_(o.transpose(0, 1).reshape({doc.length, s.heads * s.head_dim}));
      if (lse.defined()) lse.narrow(1, doc.start, doc.length).copy_(at::logsumexp(scores, -1));
    }
  }
  void AttentionBackward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                         const at::Tensor& grad_out, const AttentionShape& s,
                         const std::vector<TokenSpan>& documents, at::Tensor& grad_qkv) override {
    const double scale = 1.0 / std::sqrt(static_cast<double>(s.head_dim));
    for (const TokenSpan& doc : documents) {
      const Heads h = Split(qkv, s, doc);
      const at::Tensor sums = lse.narrow(1, doc.start, doc.length).unsqueeze(-1);
      const at::Tensor p = (MaskedScores(h, s.head_dim) - sums).exp();
      const at::Tensor go = HeadsOf(grad_out, doc.start, doc.length, 0, s.heads, s.head_dim);
      const at::Tensor o = HeadsOf(out, doc.start, doc.length, 0, s.heads, s.head_dim);
      const at::Tensor dots = (go * o).sum(-1, true);
      const at::Tensor ds = p * (at::matmul(go, h.v.transpose(1, 2)) - dots) * scale;
      const auto put = [&](const at::Tensor& value, int64_t first, int64_t count) {
        const at::Tensor grouped =
            value.view({count, -1, doc.length, s.head_dim}).sum(1).transpose(0, 1);
        grad_qkv.narrow(0, doc.start, doc.length)
            .narrow(1, first * s.head_dim, count * s.head_dim)
            .copy_(grouped.reshape({doc.length, count * s.head_dim}));
      };
      put(at::matmul(ds, h.k).contiguous(), 0, s.heads);
      put(at::matmul(ds.transpose(1, 2), h.q).contiguous(), s.heads, s.kv_heads);
      put(at::matmul(p.transpose(1, 2), go).contiguous(), s.heads + s.kv_heads, s.kv_heads);
    }
  }

  void SwiGlu(const at::Tensor& gate, const at::Tensor& up, at::Tensor& act) override {
    act.copy_(at::silu(gate) * up);
  }
  void SwiGluBackward(const at::Tensor& dact, at::Tensor& gate, at::Tensor& up) override {
    const at::Tensor d = Float(dact), g = Float(gate), s = at::sigmoid(g);
    const at::Tensor dgate = d * Float(up) * s * (1 + g * (1 - s));
    up.copy_(d * g * s);
    gate.copy_(dgate);
  }

  void CrossEntropy(at::Tensor& logits, const at::Tensor& labels, double gradient_scale,
                    at::Tensor& losses) override {
    const at::Tensor none = labels.lt(0), index = labels.clamp_min(0).unsqueeze(1);
    at::Tensor log_p = at::log_softmax(logits, -1);
    losses.copy_((-log_p.gather(1, index).squeeze(1)).masked_fill_(none, 0));
    logits.copy_(log_p.exp_().mul_(gradient_scale));
    logits.scatter_add_(1, index, at::full(index.sizes(), -gradient_scale, logits.options()));
    logits.masked_fill_(none.unsqueeze(1), 0);
  }
  void LogSumExp(const at::Tensor& logits, at::Tensor& log_sum, at::Tensor& arg_max) override {
    log_sum.copy_(at::logsumexp(logits, -1));
    arg_max.copy_(logits.argmax(-1));
  }

 private:
  // In the wider of the two types.
  static at::Tensor Product(const at::Tensor& a, const at::Tensor& b) {
    if (a.scalar_type() == b.scalar_type()) return at::mm(a, b);
    return at::mm(Float(a), Float(b));
  }

  TiledProducts tiled_;
};

}  // namespace

void Kernels::LinearOfBlocks(const at::Tensor& x, const FrozenMatrix& w,
                             const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                             at::Tensor& y) {
  for (const LoraBlock& block : blocks) {
    const auto rows = [&block](const at::Tensor& t) {
      return t.defined() ? t.narrow(0, block.begin, block.rows) : t;
    };
    at::Tensor out = rows(y);
    Linear(rows(x), w, block.term.u.defined() ? &block.term : nullptr, rows(residual), out);
  }
}

void Kernels::LoraDownOfBlocks(const at::Tensor& x, std::vector<AdapterRows>& blocks) {
  for (AdapterRows& block : blocks) {
    LoraDown(x.narrow(0, block.begin, block.rows), block.a, block.dropout, block.u);
  }
}

void Kernels::LoraBackwardOfBlocks(const at::Tensor& dy, const at::Tensor& x,
                                   std::vector<AdapterRows>& blocks, at::Tensor* dx) {
  for (AdapterRows& block : blocks) {
    const at::Tensor dy_rows = dy.narrow(0, block.begin, block.rows);
    LoraUpBackward(dy_rows, block.b, block.scale, block.du);
    LoraGradients(dy_rows, block.u, block.scale, block.du, x.narrow(0, block.begin, block.rows),
                  block.dropout, block.grad_a, block.grad_b);
    if (dx == nullptr) continue;
    at::Tensor dx_rows = dx->narrow(0, block.begin, block.rows);
    LoraDownBackward(block.du, block.a, block.dropout, dx_rows);
  }
}

void Kernels::Rows(const FrozenMatrix& w, const at::Tensor& rows, at::Tensor& y) {
  at::index_select_out(y, w.plain, 0, rows);
}

std::unique_ptr<Kernels> MakeAtenKernels() { return std::make_unique<AtenKernels>(); }

}  // namespace scm::trainer
