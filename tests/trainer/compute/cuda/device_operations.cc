#include "tests/trainer/compute/cuda/device_operations.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <torch/library.h>

namespace scm::trainer {

FlashCalls& SeenFlashCalls() {
  static FlashCalls calls;
  return calls;
}

namespace {

using OptionalTensor = std::optional<at::Tensor>;

at::Tensor& MmOut(const at::Tensor& a, const at::Tensor& b, at::ScalarType type, at::Tensor& out) {
  TORCH_CHECK(a.scalar_type() == at::kBFloat16 && b.scalar_type() == at::kBFloat16);
  TORCH_CHECK(type == at::kFloat && out.scalar_type() == type);
  return out.copy_(at::mm(a.to(at::kFloat), b.to(at::kFloat)));
}

at::Tensor& AddmmOut(const at::Tensor& self, const at::Tensor& a, const at::Tensor& b,
                     at::ScalarType type, const at::Scalar& beta, const at::Scalar& alpha,
                     at::Tensor& out) {
  TORCH_CHECK(a.scalar_type() == at::kBFloat16 && b.scalar_type() == at::kBFloat16);
  TORCH_CHECK(type == at::kFloat && out.scalar_type() == type && self.is_same(out));
  TORCH_CHECK(beta.toDouble() == 1 && alpha.toDouble() == 1);
  return out.add_(at::mm(a.to(at::kFloat), b.to(at::kFloat)));
}

struct FlashSpan {
  int64_t start, length;
};

std::vector<FlashSpan> SpansOf(const at::Tensor& starts, int64_t tokens, int64_t longest) {
  TORCH_CHECK(starts.scalar_type() == at::kInt && starts.is_contiguous() && starts.dim() == 1);
  const int32_t* const at = starts.const_data_ptr<int32_t>();
  const int64_t count = starts.numel() - 1;
  TORCH_CHECK(count > 0 && at[0] == 0 && at[count] == tokens, "documents are not all tokens");
  TORCH_CHECK(longest > 1, "documents of one token alone would be another kernel");
  std::vector<FlashSpan> spans;
  for (int64_t i = 0; i < count; ++i) {
    TORCH_CHECK(at[i + 1] >= at[i] && at[i + 1] - at[i] <= longest, "a document is too long");
    spans.push_back({at[i], at[i + 1] - at[i]});
  }
  SeenFlashCalls().documents = count;
  SeenFlashCalls().longest = longest;
  SeenFlashCalls().starts = at;
  return spans;
}

void CheckHeads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  for (const at::Tensor* t : {&q, &k, &v}) {
    TORCH_CHECK(t->dim() == 3 && t->scalar_type() == at::kBFloat16 && t->stride(2) == 1);
    TORCH_CHECK(t->size(0) == q.size(0) && t->size(2) == q.size(2));
  }
  TORCH_CHECK(q.size(2) % 8 == 0 && q.size(2) <= 256, "heads are padded");
  TORCH_CHECK(k.size(1) == v.size(1) && q.size(1) % k.size(1) == 0);
}

// [heads, length, head_dim] fp32, keys repeated as often as queries share them.
at::Tensor Of(const at::Tensor& t, const FlashSpan& span, int64_t heads) {
  return t.narrow(0, span.start, span.length)
      .to(at::kFloat)
      .transpose(0, 1)
      .repeat_interleave(heads / t.size(1), 0);
}

at::Tensor ScoresOf(const at::Tensor& q, const at::Tensor& k, double scale) {
  const int64_t n = q.size(1);
  return at::matmul(q, k.transpose(1, 2))
      .mul(scale)
      .masked_fill(at::ones({n, n}, at::kBool).triu(1), -INFINITY);
}

at::Tensor FlashForward(at::Tensor& out, const at::Tensor& q, const at::Tensor& k,
                        const at::Tensor& v, const OptionalTensor& starts_q,
                        const OptionalTensor& starts_k, c10::SymInt max_q, c10::SymInt max_k,
                        double dropout, bool causal, bool debug, std::optional<double> scale,
                        std::optional<c10::SymInt> left, std::optional<c10::SymInt> right,
                        const OptionalTensor& used, const OptionalTensor& slopes,
                        const OptionalTensor& table, std::optional<int64_t> splits) {
  CheckHeads(q, k, v);
  TORCH_CHECK(out.sizes() == q.sizes() && out.scalar_type() == q.scalar_type() &&
              out.stride(2) == 1);
  TORCH_CHECK(dropout == 0 && causal && !debug && scale && !left && !right && !used && !slopes &&
              !table && !splits && max_q == max_k && starts_k->is_same(*starts_q));
  ++SeenFlashCalls().forward;
  at::Tensor lse = at::full({q.size(1), q.size(0)}, NAN);
  for (const FlashSpan& span : SpansOf(*starts_q, q.size(0), max_q.expect_int())) {
    const at::Tensor scores =
        ScoresOf(Of(q, span, q.size(1)), Of(k, span, q.size(1)), scale.value());
    const at::Tensor o = at::matmul(at::softmax(scores, -1), Of(v, span, q.size(1)));
    out.narrow(0, span.start, span.length).copy_(o.transpose(0, 1));
    lse.narrow(1, span.start, span.length).copy_(at::logsumexp(scores, -1));
  }
  return lse;
}

// From what the forward pass left, as on a GPU.
std::tuple<at::Tensor, at::Tensor, at::Tensor> FlashBackward(
    const at::Tensor& grad_out, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
    const at::Tensor& out, const at::Tensor& lse, const at::Tensor& starts_q,
    const at::Tensor& starts_k, c10::SymInt max_q, c10::SymInt max_k, double dropout, bool causal,
    const at::Tensor& random_state, const at::Tensor& unused, std::optional<double> scale,
    std::optional<c10::SymInt> left, std::optional<c10::SymInt> right) {
  CheckHeads(q, k, v);
  TORCH_CHECK(at::globalContext().deterministicAlgorithms(), "sums in any order");
  TORCH_CHECK(!at::globalContext().deterministicFillUninitializedMemory());
  TORCH_CHECK(out.sizes() == q.sizes() && grad_out.sizes() == q.sizes());
  TORCH_CHECK(out.scalar_type() == at::kBFloat16 && grad_out.scalar_type() == at::kBFloat16);
  TORCH_CHECK(lse.scalar_type() == at::kFloat && lse.is_contiguous() &&
              lse.sizes() == at::IntArrayRef({q.size(1), q.size(0)}));
  TORCH_CHECK(random_state.scalar_type() == at::kUInt64 && random_state.numel() == 2);
  TORCH_CHECK(dropout == 0 && causal && scale && !left && !right && max_q == max_k &&
              starts_k.is_same(starts_q));
  ++SeenFlashCalls().backward;
  const int64_t heads = q.size(1), d = q.size(2);
  at::Tensor dq = at::full(q.sizes(), NAN, q.options()), dk = at::full(k.sizes(), NAN, k.options());
  at::Tensor dv = at::full_like(dk, NAN);
  for (const FlashSpan& span : SpansOf(starts_q, q.size(0), max_q.expect_int())) {
    const at::Tensor qs = Of(q, span, heads), ks = Of(k, span, heads), vs = Of(v, span, heads);
    const at::Tensor go = Of(grad_out, span, heads), o = Of(out, span, heads);
    const at::Tensor sums = lse.narrow(1, span.start, span.length).unsqueeze(-1);
    const at::Tensor p = (ScoresOf(qs, ks, *scale) - sums).exp();
    const at::Tensor ds =
        p * (at::matmul(go, vs.transpose(1, 2)) - (go * o).sum(-1, true)) * *scale;
    const auto put = [&](at::Tensor& to, const at::Tensor& value) {
      const at::Tensor shared = value.view({to.size(1), heads / to.size(1), span.length, d}).sum(1);
      to.narrow(0, span.start, span.length).copy_(shared.transpose(0, 1));
    };
    put(dq, at::matmul(ds, ks));
    put(dk, at::matmul(ds.transpose(1, 2), qs));
    put(dv, at::matmul(p.transpose(1, 2), go));
  }
  return {dq, dk, dv};
}

}  // namespace
}  // namespace scm::trainer

TORCH_LIBRARY_IMPL(aten, CPU, m) {
  m.impl("mm.dtype_out", scm::trainer::MmOut);
  m.impl("addmm.dtype_out", scm::trainer::AddmmOut);
  m.impl("_flash_attention_forward_no_dropout_inplace", scm::trainer::FlashForward);
  m.impl("_flash_attention_backward", scm::trainer::FlashBackward);
}
