// Passes that are made to be replayed: they give what other passes give, and the check of what a
// replay needs passes for them and finds what is planted.
#include <gmock/gmock.h>

#include "tests/trainer/compute/support.h"
#include "trainer/compute/replay_check.h"
#include "trainer/compute/shared_pass.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

struct ReplayedModel {
  explicit ReplayedModel(std::unique_ptr<Kernels> kernels = MakeCpuKernels(),
                         bool recompute = false)
      : source(SmallConfig(), 1),
        model(MakeModel(source, MakeLora(AllModules()), Precision::kFloat32, std::move(kernels))) {
    for (const uint64_t seed : {4, 5}) {
      EXPECT_TRUE(model->AddAdapterSet(MakeLora({"q_proj", "up_proj"}, 0.3, 3), seed).ok());
    }
    model->RecomputeActivations(recompute);
  }
  // Two micro-batches of three runs.
  absl::Status Step(int64_t step, const std::vector<int64_t>& lengths, int64_t padding = 0) {
    for (size_t set = 0; set < 3; ++set) model->ZeroGradients(set);
    for (int64_t micro = 0; micro < 2; ++micro) {
      const uint64_t salt = static_cast<uint64_t>(2 * step + micro);
      const Batch rows = RowsOfLengths(lengths, 61, salt, 2), packed = Packed(rows, padding);
      std::vector<MicroBatch> all;
      for (size_t set = 0; set < 3; ++set) {
        all.push_back({set == 1 ? &rows : &packed, set, 1.0 / static_cast<double>(step + 7),
                       set + 9, step, micro});
      }
      const absl::Status queued = model->QueueTrainStep(all);
      if (!queued.ok()) return queued;
    }
    return absl::OkStatus();
  }

  FakeSource source;
  std::unique_ptr<LlamaModel> model;
};

TEST(Replay, APassOfAFixedLengthGivesWhatOthersGive) {
  for (const bool recompute : {false, true}) {
    ReplayedModel fixed(MakeCpuKernels(), recompute), plain(MakeCpuKernels(), recompute);
    ReplayCheck check;
    ASSERT_TRUE(fixed.model->CheckReplays(&check).ok());
    for (const int64_t step : {0, 1}) {
      const absl::Status status = fixed.Step(step, {30, 17, 40});
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_TRUE(plain.Step(step, {30, 17, 40}).ok());
      const at::Tensor& own = fixed.model->flat_adapters().gradients;
      EXPECT_LT(RelativeError(own, plain.model->flat_adapters().gradients), 2e-6);
      EXPECT_LT(RelativeError(fixed.model->loss_sums(), plain.model->loss_sums()), 1e-7);
    }
    EXPECT_GT(check.passes(), 0);
    // Off again, passes are what they were.
    ASSERT_TRUE(fixed.model->CheckReplays(nullptr).ok());
    ASSERT_TRUE(fixed.Step(2, {30, 17, 40}).ok());
    ASSERT_TRUE(plain.Step(2, {30, 17, 40}).ok());
    EXPECT_TRUE(
        at::equal(fixed.model->flat_adapters().gradients, plain.model->flat_adapters().gradients));
  }
}

// Dropout, seeds packed into one pass, accumulation, texts of other lengths.
TEST(Replay, StepsOfTwoLengthsHoldTheCheck) {
  ReplayedModel one;
  ReplayCheck check;
  ASSERT_TRUE(one.model->CheckReplays(&check).ok());
  const std::vector<std::vector<int64_t>> lengths = {{120, 100, 90}, {30, 17, 40},  {121, 99, 89},
                                                     {33, 14, 39},   {118, 97, 95}, {31, 16, 41}};
  int64_t passes = 0;
  size_t keys = 0;
  for (size_t step = 0; step < lengths.size(); ++step) {
    const absl::Status status = one.Step(static_cast<int64_t>(step), lengths[step]);
    ASSERT_TRUE(status.ok()) << status;
    if (step == 1) {
      passes = check.passes();
      keys = check.keys();
    }
  }
  EXPECT_EQ(check.keys(), keys) << "other lengths than two";
  EXPECT_EQ(check.passes(), 3 * passes);
}

TEST(Replay, LengthsAreFewAndHardlyLonger) {
  int64_t before = 0, kinds = 0;
  for (int64_t count = 1; count <= 8192; ++count) {
    const int64_t length = RecordedLength(count);
    ASSERT_GE(length, count);
    ASSERT_GE(length, before);
    if (count > 64) {
      ASSERT_LE(length, count + count / 4);
    }
    kinds += length != before;
    before = length;
  }
  EXPECT_EQ(kinds, 32);  // 16, 32, 48, 64; 80, 96, 112, 128; …
  EXPECT_EQ(before, 8192);
}

TEST(Replay, ReplacedMemoryBeginsAnew) {
  ReplayedModel one;
  ReplayCheck check;
  ASSERT_TRUE(one.model->CheckReplays(&check).ok());
  ASSERT_TRUE(one.Step(0, {30, 17}).ok());
  ASSERT_TRUE(one.Step(1, {200, 170}).ok());
  const absl::Status status = one.Step(2, {31, 16});
  EXPECT_TRUE(status.ok()) << status;
}

// Kernels that are wrong in one way for a replay.
class Wrong : public ReplayCheck {
 public:
  at::Tensor x = at::ones({4, 8}), w = at::ones({8}), y = at::empty({4, 8});
  std::unique_ptr<Kernels> plain = MakeAtenKernels();
  std::unique_ptr<Kernels> kernels = MakeCheckedKernels(plain.get(), this);

  absl::Status Pass(const std::function<void()>& work) { return Run("a key", work); }
  void Norm(double eps = 1e-5) { kernels->RmsNorm(x, w, eps, y); }
};

TEST(ReplayCheck, FindsAnAllocation) {
  Wrong wrong;
  const absl::Status status = wrong.Pass([&] {
    wrong.Norm();
    at::empty({100}, at::kFloat);
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              MatchesRegex("a training pass .a key. cannot be replayed: [0-9]+ bytes are allocated "
                           "by or after operation 2, aten::empty"));
}

TEST(ReplayCheck, FindsAValueThatIsBroughtToTheHost) {
  Wrong wrong;
  const auto read = [&] { (void)wrong.y.select(0, 0).select(0, 0).item<float>(); };
  const absl::Status between = wrong.Pass([&] {
    wrong.Norm();
    read();
  });
  EXPECT_THAT(
      std::string(between.message()),
      MatchesRegex(".*: aten::item waits for the device, after operation [0-9]+, aten::.*"));
  // Also within an operation of the kernels, which may allocate.
  const absl::Status within = wrong.Pass([&] {
    wrong.Norm();
    ++wrong.within_kernel;
    at::empty({100}, at::kFloat);
    read();
    --wrong.within_kernel;
  });
  EXPECT_THAT(std::string(within.message()),
              HasSubstr("aten::item waits for the device, after operation 1, RmsNorm"));
  const absl::Status copied = wrong.Pass([&] { (void)wrong.y.to(at::kCPU, at::kDouble); });
  EXPECT_THAT(std::string(copied.message()), HasSubstr("with a device waits for the device"));
}

TEST(ReplayCheck, FindsAnArgumentThatHasChanged) {
  Wrong wrong;
  ASSERT_TRUE(wrong.Pass([&] { wrong.Norm(); }).ok());
  ASSERT_TRUE(wrong.Pass([&] { wrong.Norm(); }).ok());
  EXPECT_THAT(std::string(wrong.Pass([&] { wrong.Norm(2e-5); }).message()),
              HasSubstr("operation 1, RmsNorm: eps was 1e-05 and is 2e-05"));
  const at::Tensor before = std::exchange(wrong.y, at::empty({4, 8}));
  EXPECT_THAT(std::string(wrong.Pass([&] { wrong.Norm(); }).message()),
              HasSubstr("operation 1, RmsNorm: y was Float[4, 8] at "));
  wrong.y = before;
  EXPECT_THAT(std::string(wrong
                              .Pass([&] {
                                wrong.Norm();
                                wrong.Norm();
                              })
                              .message()),
              HasSubstr("operation 2, RmsNorm, was not there before"));
  EXPECT_THAT(std::string(wrong.Pass([] {}).message()),
              HasSubstr("it ends after 0 operations, and had 1"));
  // A number that torch is handed.
  ASSERT_TRUE(wrong.Run("another", [&] { wrong.y.fill_(2); }).ok());
  EXPECT_THAT(std::string(wrong.Run("another", [&] { wrong.y.fill_(3); }).message()),
              HasSubstr("was 2 and is 3"));
}

TEST(ReplayCheck, FindsKeysOfMasksThatAreHandedByValue) {
  Wrong wrong;
  const at::Tensor a = at::ones({2, 8});
  at::Tensor u = at::empty({4, 2});
  const auto down = [&](int64_t step) {
    const Dropout dropout = MakeDropout(0.5, 1, step, 0, 0, 0);
    return wrong.Pass([&] { wrong.kernels->LoraDown(wrong.x, a, dropout, u); });
  };
  ASSERT_TRUE(down(1).ok());
  EXPECT_THAT(std::string(down(2).message()), HasSubstr("LoraDown: dropout was keys "));
}

TEST(ReplayCheck, FindsDocumentsThatNobodyPrepared) {
  Wrong wrong;
  const AttentionShape shape{2, 1, 2};
  const at::Tensor qkv = at::ones({4, 8});
  at::Tensor out = at::empty({4, 4}), lse;
  const auto attend = [&](const char* key, const std::vector<TokenSpan>& documents) {
    return wrong.Run(key, [&] { wrong.kernels->Attention(qkv, shape, documents, out, lse); });
  };
  ASSERT_TRUE(attend("unprepared", {{0, 4}}).ok());
  EXPECT_THAT(std::string(attend("unprepared", {{0, 1}, {1, 3}}).message()),
              HasSubstr("Attention: documents was 0 + 4 and is 0 + 1, 1 + 3"));
  wrong.kernels->PrepareAttention({{0, 4}}, 2, 4);
  ASSERT_TRUE(attend("prepared", {{0, 4}}).ok());
  EXPECT_TRUE(attend("prepared", {{0, 1}, {1, 3}}).ok());
}

}  // namespace
}  // namespace scm::trainer
