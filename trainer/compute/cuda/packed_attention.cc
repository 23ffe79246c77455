#include "trainer/compute/cuda/packed_attention.h"

#include <ATen/Context.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward_no_dropout_inplace.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

namespace scm::trainer {
namespace {

constexpr int64_t kLargestHead = 256, kHeadStep = 8;

bool Same(const TokenSpan& a, const TokenSpan& b) {
  return a.start == b.start && a.length == b.length && a.prefix_length == b.prefix_length &&
         (a.prefix_length == 0 || a.prefix_start == b.prefix_start);
}

// Tokens of all, or -1 where documents share tokens or do not follow each other.
int64_t TokensOf(const std::vector<TokenSpan>& documents) {
  int64_t end = 0;
  for (const TokenSpan& doc : documents) {
    if (doc.start != end || doc.prefix_length != 0) return -1;
    end += doc.length;
  }
  return end;
}

// `count` heads from head `first` on, as [tokens, heads, head_dim]. No copy.
at::Tensor HeadsIn(const at::Tensor& rows, int64_t first, int64_t count, int64_t head_dim) {
  return rows.narrow(1, first * head_dim, count * head_dim).view({rows.size(0), count, head_dim});
}

struct QueriesKeysValues {
  QueriesKeysValues(const at::Tensor& rows, const AttentionShape& s)
      : q(HeadsIn(rows, 0, s.heads, s.head_dim)),
        k(HeadsIn(rows, s.heads, s.kv_heads, s.head_dim)),
        v(HeadsIn(rows, s.heads + s.kv_heads, s.kv_heads, s.head_dim)) {}
  at::Tensor q, k, v;
};

double ScaleOf(const AttentionShape& s) { return 1 / std::sqrt(static_cast<double>(s.head_dim)); }

// Sums in an order of their own while it lives, so that a run that is resumed has the same bits.
class Deterministic {
 public:
  Deterministic()
      : was_(at::globalContext().deterministicAlgorithms()),
        warned_(at::globalContext().deterministicAlgorithmsWarnOnly()),
        filled_(at::globalContext().deterministicFillUninitializedMemory()) {
    at::globalContext().setDeterministicAlgorithms(true, false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  }
  ~Deterministic() {
    at::globalContext().setDeterministicAlgorithms(was_, warned_);
    at::globalContext().setDeterministicFillUninitializedMemory(filled_);
  }
  Deterministic(const Deterministic&) = delete;
  Deterministic& operator=(const Deterministic&) = delete;

 private:
  bool was_, warned_, filled_;
};

}  // namespace

void PackedAttention::Prepare(const std::vector<TokenSpan>& documents, int64_t most,
                              int64_t longest) {
  documents_ = documents;
  tokens_ = TokensOf(documents);
  if (tokens_ < 0) return;
  // Documents of one token alone would be another kernel, with another layout.
  longest_ = std::max<int64_t>(longest, 2);
  for (const TokenSpan& doc : documents) longest_ = std::max(longest_, doc.length);
  const int64_t count = std::max(most, static_cast<int64_t>(documents.size())) + 1;
  at::Tensor host = StagingBytes(count * static_cast<int64_t>(sizeof(int32_t)), buffers_->device());
  int32_t* const starts = static_cast<int32_t*>(host.mutable_data_ptr());
  for (int64_t i = 0; i < count; ++i) {
    const size_t at = static_cast<size_t>(i);
    starts[i] = static_cast<int32_t>(at < documents.size() ? documents[at].start : tokens_);
  }
  starts_ = buffers_->Get(DeviceBuffers::kDocuments, {count}, at::kInt);
  starts_.copy_(host.view(at::kInt), /*non_blocking=*/true);
}

bool PackedAttention::IsFor(at::ScalarType type, const AttentionShape& shape) {
  return type == at::kBFloat16 && shape.head_dim % kHeadStep == 0 && shape.head_dim <= kLargestHead;
}

bool PackedAttention::Fits(const at::Tensor& qkv, const AttentionShape& shape,
                           const std::vector<TokenSpan>& documents) {
  if (!IsFor(qkv.scalar_type(), shape) || qkv.stride(1) != 1 || documents.empty()) {
    return false;
  }
  if (!std::equal(documents.begin(), documents.end(), documents_.begin(), documents_.end(), Same)) {
    Prepare(documents, 0, 0);
  }
  return tokens_ == qkv.size(0);
}

void PackedAttention::Forward(const at::Tensor& qkv, const AttentionShape& shape, at::Tensor& out,
                              at::Tensor& lse) {
  const QueriesKeysValues in(qkv, shape);
  at::Tensor heads = HeadsIn(out, 0, shape.heads, shape.head_dim);
  const at::Tensor sums = at::_flash_attention_forward_no_dropout_inplace(
      heads, in.q, in.k, in.v, starts_, starts_, longest_, longest_, /*dropout_p=*/0,
      /*is_causal=*/true, /*return_debug_mask=*/false, ScaleOf(shape));
  if (lse.defined()) lse.copy_(sums);
}

void PackedAttention::Backward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                               const at::Tensor& grad_out, const AttentionShape& shape,
                               at::Tensor& grad_qkv) {
  if (!random_state_.defined()) {
    random_state_ =
        at::zeros({2}, at::TensorOptions().dtype(at::kLong).device(qkv.device())).view(at::kUInt64);
  }
  const QueriesKeysValues in(qkv, shape), gradients(grad_qkv, shape);
  const Deterministic deterministic;
  const auto [dq, dk, dv] = at::_flash_attention_backward(
      HeadsIn(grad_out, 0, shape.heads, shape.head_dim), in.q, in.k, in.v,
      HeadsIn(out, 0, shape.heads, shape.head_dim), lse, starts_, starts_, longest_, longest_,
      /*dropout_p=*/0, /*is_causal=*/true, random_state_, random_state_, ScaleOf(shape));
  gradients.q.copy_(dq);
  gradients.k.copy_(dk);
  gradients.v.copy_(dv);
}

}  // namespace scm::trainer
