// Attention over packed documents in one launch, against the ATen reference.
#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "tests/trainer/compute/cuda/device_operations.h"
#include "tests/trainer/compute/cuda/make_emulated.h"
#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

at::Tensor NormalRows(int64_t rows, int64_t columns, uint64_t seed) {
  at::Tensor t = at::empty({rows, columns}, at::kFloat);
  Philox rng(seed, "packed_attention_test");
  for (int64_t i = 0; i < t.numel(); ++i) {
    t.mutable_data_ptr<float>()[i] = static_cast<float>(rng.Normal());
  }
  return t.to(at::kBFloat16);
}

std::vector<TokenSpan> InARow(const std::vector<int64_t>& lengths) {
  std::vector<TokenSpan> documents;
  int64_t start = 0;
  for (const int64_t length : lengths) {
    documents.push_back({start, length, 0, 0});
    start += length;
  }
  return documents;
}

// Queries, keys and values in rows longer than themselves, out and lse, and the gradient.
struct AttentionResult {
  at::Tensor out, lse, grad_qkv;
};
AttentionResult Attend(Kernels& kernels, const AttentionShape& s,
                       const std::vector<TokenSpan>& documents, int64_t tokens) {
  const int64_t heads = s.heads * s.head_dim, all = heads + 2 * s.kv_heads * s.head_dim;
  const at::Tensor qkv = NormalRows(tokens, all + 3, 1).narrow(1, 2, all);
  AttentionResult r;
  r.out = at::full({tokens, heads}, NAN, at::kBFloat16);
  r.lse = at::full({s.heads, tokens}, NAN, at::kFloat);
  r.grad_qkv = at::full({tokens, all}, NAN, at::kBFloat16);
  kernels.Attention(qkv, s, documents, r.out, r.lse);
  kernels.AttentionBackward(qkv, r.out, r.lse, NormalRows(tokens, heads, 2), s, documents,
                            r.grad_qkv);
  return r;
}

void ExpectAlike(const AttentionResult& own, const AttentionResult& plain) {
  EXPECT_LT(RelativeError(own.out, plain.out), 4e-3);
  EXPECT_LT(RelativeError(own.lse, plain.lse), 1e-5);
  EXPECT_LT(RelativeError(own.grad_qkv, plain.grad_qkv), 4e-3);
}

TEST(PackedAttention, OneLaunchForAllDocuments) {
  const Emulated own = MakeEmulated();
  const auto plain = MakeAtenKernels();
  const std::vector<std::vector<int64_t>> packed = {
      {1}, {1, 1, 1}, {2}, {7, 1, 33, 64, 1}, {129, 5}, {3, 127, 128, 2, 65, 1, 1, 9}};
  for (const std::vector<int64_t>& lengths : packed) {
    const std::vector<TokenSpan> documents = InARow(lengths);
    const int64_t tokens = documents.back().start + documents.back().length;
    for (const AttentionShape& s :
         {AttentionShape{2, 2, 8}, AttentionShape{6, 2, 64}, AttentionShape{4, 1, 24}}) {
      SCOPED_TRACE(testing::Message() << lengths.size() << " documents, " << tokens << " tokens, "
                                      << s.heads << " on " << s.kv_heads << " heads");
      const FlashCalls before = SeenFlashCalls();
      const AttentionResult result = Attend(*own.kernels, s, documents, tokens);
      EXPECT_EQ(SeenFlashCalls().forward, before.forward + 1);
      EXPECT_EQ(SeenFlashCalls().backward, before.backward + 1);
      ExpectAlike(result, Attend(*plain, s, documents, tokens));
    }
  }
  EXPECT_FALSE(at::globalContext().deterministicAlgorithms()) << "left as it was not found";
}

// What it is not for: shared prefixes, rows between the documents, odd heads, fp32.
TEST(PackedAttention, TheReferenceDoesTheRest) {
  const Emulated own = MakeEmulated();
  const auto plain = MakeAtenKernels();
  const FlashCalls before = SeenFlashCalls();
  const AttentionShape even{4, 2, 16}, odd{2, 1, 12}, large{1, 1, 264};
  const std::vector<TokenSpan> apart = {{0, 5, 0, 0}, {7, 9, 0, 0}};
  const std::vector<TokenSpan> prefix = {{0, 6, 0, 0}, {6, 4, 0, 6}, {10, 6, 0, 6}};
  for (const AttentionShape& s : {odd, large}) {
    const AttentionResult result = Attend(*own.kernels, s, InARow({5, 11}), 16);
    ExpectAlike(result, Attend(*plain, s, InARow({5, 11}), 16));
  }
  for (const std::vector<TokenSpan>& documents : {apart, prefix}) {
    const at::Tensor qkv = NormalRows(16, 128, 1);
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      at::Tensor out[2], lse;
      for (int i = 0; i < 2; ++i) {
        out[i] = at::zeros({16, 64}, type);
        (i == 0 ? *own.kernels : *plain).Attention(qkv.to(type), even, documents, out[i], lse);
      }
      EXPECT_TRUE(SameBits(out[0], out[1]));
    }
  }
  EXPECT_EQ(SeenFlashCalls().forward, before.forward);
  EXPECT_EQ(SeenFlashCalls().backward, before.backward);
}

// A recorded pass reads where documents start from one place, and holds for up to as many and as
// long ones as were said.
TEST(PackedAttention, PreparedDocumentsKeepTheirPlace) {
  const Emulated own = MakeEmulated();
  const auto plain = MakeAtenKernels();
  const AttentionShape s{4, 2, 16};
  const void* starts = nullptr;
  for (const std::vector<int64_t>& lengths :
       {std::vector<int64_t>{40}, {1, 39}, {10, 10, 10, 10}, {13, 27}}) {
    const std::vector<TokenSpan> documents = InARow(lengths);
    own.kernels->PrepareAttention(documents, 4, 40);
    ExpectAlike(Attend(*own.kernels, s, documents, 40), Attend(*plain, s, documents, 40));
    EXPECT_EQ(SeenFlashCalls().documents, 4);
    EXPECT_EQ(SeenFlashCalls().longest, 40);
    if (starts != nullptr) {
      EXPECT_EQ(SeenFlashCalls().starts, starts);
    }
    starts = SeenFlashCalls().starts;
  }
  // Others, unprepared.
  ExpectAlike(Attend(*own.kernels, s, InARow({3, 6}), 9), Attend(*plain, s, InARow({3, 6}), 9));
  EXPECT_EQ(SeenFlashCalls().documents, 2);
  EXPECT_EQ(SeenFlashCalls().longest, 6);
}

}  // namespace
}  // namespace scm::trainer
