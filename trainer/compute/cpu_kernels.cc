// Kernels on the CPU: converts tensors to plain matrices and calls the table of the instruction
// set.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "trainer/compute/kernels.h"
#include "trainer/compute/tiled_products.h"

namespace scm::trainer {
namespace {

Element TypeOf(const at::Tensor& t) {
  TORCH_CHECK(t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16,
              "kernel operands are fp32 or bf16");
  return t.scalar_type() == at::kFloat ? Element::kFloat : Element::kBFloat16;
}

ConstMatrix In(const at::Tensor& t) {
  TORCH_CHECK(t.stride(-1) == 1 || t.size(-1) == 1, "kernel operands have unit stride in a row");
  return {t.const_data_ptr(), TypeOf(t), t.dim() == 1 ? t.numel() : t.stride(0)};
}
Matrix Out(at::Tensor& t) {
  const ConstMatrix m = In(t);
  return {t.mutable_data_ptr(), m.type, m.stride};
}

class CpuKernels : public Kernels {
 public:
  explicit CpuKernels(const CpuFunctions& f) : f_(f) {}

  void RmsNorm(const at::Tensor& x, const at::Tensor& w, double eps, at::Tensor& y) override {
    f_.rms_norm(x.size(0), x.size(1), In(x), In(w), static_cast<float>(eps), Out(y));
  }
  void RmsNormBackward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& w, double eps,
                       at::Tensor& dx) override {
    f_.rms_norm_backward(x.size(0), x.size(1), In(dy), In(x), In(w), static_cast<float>(eps),
                         dx.mutable_data_ptr<float>());
  }

  void Pack(FrozenMatrix* w) override {
    // A quantised one is restored by tiles in every product.
    if (w->quantized != nullptr || w->packed.defined()) return;
    const int64_t floats = f_.packed_floats(TypeOf(w->plain), w->in, w->out);
    if (floats == 0) return;
    w->type = w->plain.scalar_type();
    GemmTerm term;
    term.b = In(w->plain);
    term.b_transposed = true;
    term.k = w->in;
    w->packed = at::empty({floats}, at::kFloat);
    f_.pack_matrix(term, w->out, w->packed.mutable_data_ptr<float>());
    w->plain.reset();
  }
  void Rows(const FrozenMatrix& w, const at::Tensor& rows, at::Tensor& y) override {
    if (!w.packed.defined()) return Kernels::Rows(w, rows, y);
    const Matrix out = Out(y);
    f_.unpack_rows(w.in, w.packed.const_data_ptr<float>(), rows.const_data_ptr<int64_t>(),
                   rows.numel(), out.type, out.data);
  }
  void Linear(const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
              const at::Tensor& residual, at::Tensor& y) override {
    if (w.quantized != nullptr) return tiled_.Linear(*this, x, w, lora, residual, y);
    // The long product comes last: while it runs, what the results replace is fetched.
    GemmTerm terms[2];
    GemmTerm* base = terms;
    if (lora != nullptr) {
      terms[0].a = In(lora->u);
      terms[0].b = In(lora->b);
      terms[0].b_transposed = true;
      terms[0].k = lora->u.size(1);
      terms[0].scale = lora->scale;
      base = terms + 1;
    }
    base->a = In(x);
    SetB(w, base);
    base->b_transposed = true;
    base->k = x.size(1);
    Run(x.size(0), w.out, terms, lora == nullptr ? 1 : 2, residual, Dropout(), y);
  }
  // The low-rank parts first, a block after the other; then the product with the frozen matrix goes
  // on from these sums, over all rows.
  void LinearOfBlocks(const at::Tensor& x, const FrozenMatrix& w,
                      const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                      at::Tensor& y) override {
    if (w.quantized != nullptr) return tiled_.LinearOfBlocks(*this, x, w, blocks, residual, y);
    if (blocks.size() < 2) return Kernels::LinearOfBlocks(x, w, blocks, residual, y);
    const int64_t m = x.size(0);
    if (!start_.defined() || start_.numel() < m * w.out)
      start_ = at::empty({m * w.out}, at::kFloat);
    at::Tensor start = start_.narrow(0, 0, m * w.out).view({m, w.out});
    for (const LoraBlock& block : blocks) {
      at::Tensor part = start.narrow(0, block.begin, block.rows);
      if (!block.term.u.defined()) {
        part.zero_();
        continue;
      }
      GemmTerm term;
      term.a = In(block.term.u);
      term.b = In(block.term.b);
      term.b_transposed = true;
      term.k = block.term.u.size(1);
      term.scale = block.term.scale;
      Run(block.rows, w.out, &term, 1, at::Tensor(), Dropout(), part);
    }
    GemmTerm base;
    base.a = In(x);
    SetB(w, &base);
    base.b_transposed = true;
    base.k = x.size(1);
    Run(m, w.out, &base, 1, residual, Dropout(), y, start.const_data_ptr<float>());
  }
  void LinearBackward(const std::vector<GradientTerm>& pairs, at::Tensor& dx) override {
    if (AnyQuantized(pairs)) return tiled_.LinearBackward(*this, pairs, dx);
    std::vector<GemmTerm> terms(pairs.size());
    for (size_t i = 0; i < pairs.size(); ++i) {
      terms[i].a = In(pairs[i].dy);
      SetB(pairs[i].w, &terms[i]);
      std::swap(terms[i].packed_b, terms[i].packed_transpose);
      if (terms[i].packed_transpose != nullptr) terms[i].b.stride = pairs[i].w.in;
      terms[i].k = pairs[i].dy.size(1);
    }
    Run(dx.size(0), dx.size(1), terms.data(), static_cast<int64_t>(terms.size()), at::Tensor(),
        Dropout(), dx);
  }

  void LoraDown(const at::Tensor& x, const at::Tensor& a, const Dropout& dropout,
                at::Tensor& u) override {
    GemmTerm term;
    term.a = In(x);
    term.b = In(a);
    term.b_transposed = true;
    term.k = x.size(1);
    term.a_dropout = dropout;
    Run(x.size(0), a.size(0), &term, 1, at::Tensor(), Dropout(), u);
  }
  void LoraUpBackward(const at::Tensor& dy, const at::Tensor& b, float scale,
                      at::Tensor& du) override {
    GemmTerm term;
    term.a = In(dy);
    term.b = In(b);
    term.k = dy.size(1);
    term.scale = scale;
    Run(dy.size(0), b.size(1), &term, 1, at::Tensor(), Dropout(), du);
  }
  void LoraGradients(const at::Tensor& dy, const at::Tensor& u, float scale, const at::Tensor& du,
                     const at::Tensor& x, const Dropout& dropout, at::Tensor& grad_a,
                     at::Tensor& grad_b) override {
    OuterCall call;
    call.t = x.size(0);
    call.r = u.size(1);
    call.n = dy.size(1);
    call.a = u.const_data_ptr<float>();
    call.b = In(dy);
    call.scale = scale;
    call.out = grad_b.mutable_data_ptr<float>();
    call.out_transposed = true;
    f_.outer(call);
    call.n = x.size(1);
    call.a = du.const_data_ptr<float>();
    call.b = In(x);
    call.b_dropout = dropout;
    call.scale = 1;
    call.out = grad_a.mutable_data_ptr<float>();
    call.out_transposed = false;
    f_.outer(call);
  }
  void LoraDownBackward(const at::Tensor& du, const at::Tensor& a, const Dropout& dropout,
                        at::Tensor& dx) override {
    GemmTerm term;
    term.a = In(du);
    term.b = In(a);
    term.k = du.size(1);
    Run(dx.size(0), dx.size(1), &term, 1, dx, dropout, dx);
  }

  void Rope(at::Tensor& x, int64_t heads, int64_t head_dim, const at::Tensor& positions,
            const at::Tensor& cos, const at::Tensor& sin, bool inverse) override {
    f_.rope(x.size(0), heads, head_dim, positions.const_data_ptr<int32_t>(),
            cos.const_data_ptr<float>(), sin.const_data_ptr<float>(), inverse ? -1.0f : 1.0f,
            Out(x));
  }
  void Attention(const at::Tensor& qkv, const AttentionShape& shape,
                 const std::vector<TokenSpan>& documents, at::Tensor& out,
                 at::Tensor& lse) override {
    AttentionCall call = MakeCall(qkv, shape, documents, out);
    call.lse = lse.defined() ? lse.mutable_data_ptr<float>() : nullptr;
    f_.attention(call);
  }
  void AttentionBackward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                         const at::Tensor& grad_out, const AttentionShape& shape,
                         const std::vector<TokenSpan>& documents, at::Tensor& grad_qkv) override {
    at::Tensor forward = out, sums = lse;
    AttentionCall call = MakeCall(qkv, shape, documents, forward);
    call.lse = sums.mutable_data_ptr<float>();
    call.grad_out = In(grad_out);
    call.grad_qkv = Out(grad_qkv);
    f_.attention_backward(call);
  }

  void SwiGlu(const at::Tensor& gate, const at::Tensor& up, at::Tensor& act) override {
    f_.swiglu(gate.numel(), In(gate), In(up), Out(act));
  }
  void SwiGluBackward(const at::Tensor& dact, at::Tensor& gate, at::Tensor& up) override {
    f_.swiglu_backward(gate.numel(), In(dact), Out(gate), Out(up));
  }
  void CrossEntropy(at::Tensor& logits, const at::Tensor& labels, double gradient_scale,
                    at::Tensor& losses) override {
    f_.cross_entropy(logits.size(0), logits.size(1), logits.mutable_data_ptr<float>(),
                     labels.const_data_ptr<int64_t>(), static_cast<float>(gradient_scale),
                     losses.mutable_data_ptr<float>());
  }
  void LogSumExp(const at::Tensor& logits, at::Tensor& log_sum, at::Tensor& arg_max) override {
    f_.log_sum_exp(logits.size(0), logits.size(1), logits.const_data_ptr<float>(),
                   log_sum.mutable_data_ptr<float>(), arg_max.mutable_data_ptr<int64_t>());
  }

 private:
  static void SetB(const FrozenMatrix& w, GemmTerm* term) {
    if (!w.packed.defined()) {
      term->b = In(w.plain);
      return;
    }
    term->packed_b = w.packed.const_data_ptr<float>();
    term->b.type = w.type == at::kFloat ? Element::kFloat : Element::kBFloat16;
  }
  void Run(int64_t m, int64_t n, const GemmTerm* terms, int64_t count, const at::Tensor& residual,
           const Dropout& dropout, at::Tensor& out, const float* start = nullptr) {
    GemmCall call;
    call.start = start;
    call.m = m;
    call.n = n;
    call.terms = terms;
    call.term_count = count;
    if (residual.defined()) call.residual = In(residual);
    call.out = Out(out);
    call.out_dropout = dropout;
    f_.gemm(call);
  }
  AttentionCall MakeCall(const at::Tensor& qkv, const AttentionShape& shape,
                         const std::vector<TokenSpan>& documents, at::Tensor& out) {
    AttentionCall call;
    call.documents = documents.data();
    call.document_count = static_cast<int64_t>(documents.size());
    call.tokens = qkv.size(0);
    call.heads = shape.heads;
    call.kv_heads = shape.kv_heads;
    call.head_dim = shape.head_dim;
    call.qkv = In(qkv);
    call.out = Out(out);
    return call;
  }

  const CpuFunctions& f_;
  TiledProducts tiled_;
  at::Tensor start_;  // of LinearOfBlocks, kept between products
};

}  // namespace

std::unique_ptr<Kernels> MakeCpuKernels(const CpuFunctions* table) {
  return std::make_unique<CpuKernels>(table == nullptr ? BestCpuFunctions() : *table);
}

}  // namespace scm::trainer
