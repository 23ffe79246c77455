// The sources of the CUDA kernels, emulated, against the ATen reference, by the class that launches
// them on a GPU.
#include "trainer/compute/cuda/cuda_kernels.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>

#include "tests/trainer/compute/cuda/device_operations.h"
#include "tests/trainer/compute/cuda/make_emulated.h"
#include "tests/trainer/compute/support.h"
#include "trainer/compute/cuda/kernel_cases.h"
#include "trainer/compute/cuda/kernels/arguments.h"

namespace scm::trainer {
namespace {

constexpr uint64_t kEmulationSeed = 20;

TEST(CudaKernels, AgreeWithTheReferenceAtTheStart) { EXPECT_EQ(MakeEmulated().said, ""); }

// Around warps, blocks and tiles: rows, columns, rank.
const CaseShape kShapes[] = {{1, 2, 1},    {1, 33, 5},     {5, 37, 3},    {33, 65, 17},
                             {8, 256, 16}, {31, 255, 127}, {9, 1030, 33}, {70, 300, 16}};

TEST(CudaKernels, EveryOperationAtOddShapes) {
  const Emulated own = MakeEmulated();
  const auto plain = MakeAtenKernels();
  uint64_t seed = 100;
  for (int i = 0; i < kOwnKernels; ++i) {
    for (const CaseShape& s : kShapes) {
      for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        const auto kernel = static_cast<OwnKernel>(i);
        SCOPED_TRACE(testing::Message()
                     << NameOf(kernel) << " " << s.rows << " × " << s.columns << ", rank " << s.rank
                     << ", " << (type == at::kFloat ? "fp32" : "bf16") << ", seed " << ++seed);
        const double difference =
            LargestDifference(RunCase(kernel, *own.kernels, s, type, at::kCPU, seed),
                              RunCase(kernel, *plain, s, type, at::kCPU, seed));
        EXPECT_LE(difference, LargestAllowed(kernel, type));
      }
    }
  }
  std::set<std::string> all = EmulatedLauncher::Names();
  for (const char* optimizer : {"scm_squares_f32", "scm_adamw_f32"}) all.erase(optimizer);
  EXPECT_EQ(own.launcher->launched(), all) << "the reference stood in for a kernel";
}

// What a mask is multiplied with, seen through each operation that makes one.
TEST(CudaKernels, MasksHaveTheBitsOfTheCpus) {
  const Emulated own = MakeEmulated();
  const int64_t rows = 35, columns = 300;
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Dropout mask = MakeDropout(0.1 * static_cast<double>(seed), seed, 1000, 3, 5, 2);
    mask.first_row = static_cast<uint32_t>(seed * 77);
    at::Tensor wanted = at::empty({rows, columns}, at::kFloat);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        wanted.mutable_data_ptr<float>()[r * columns + c] = DropoutFactor(mask, r, c);
      }
    }
    const at::Tensor ones = at::ones({rows, columns});
    at::Tensor down = at::empty({rows, columns}, at::kFloat);
    own.kernels->LoraDown(ones, at::eye(columns), mask, down);
    EXPECT_TRUE(SameBits(down, wanted));
    at::Tensor back = at::zeros({rows, columns});
    own.kernels->LoraDownBackward(at::ones({rows, 1}), at::ones({1, columns}), mask, back);
    EXPECT_TRUE(SameBits(back, wanted));
    at::Tensor grad_a = at::zeros({rows, columns}), grad_b = at::zeros({1, rows});
    own.kernels->LoraGradients(at::zeros({rows, 1}), at::eye(rows), 1, at::eye(rows), ones, mask,
                               grad_a, grad_b);
    EXPECT_TRUE(SameBits(grad_a, wanted));
  }
}

// Through the cast of LoraDownBackward: 0 + 1 · value.
TEST(CudaKernels, RoundsToBFloat16AsTheCpuDoes) {
  const float values[] = {0.0f,
                          -0.0f,
                          1.0f,
                          1.00390625f,  // a tie, down to even
                          1.01171875f,  // a tie, up to even
                          -1.01171875f,
                          1.003907f,      // just above a tie
                          3.3895314e38f,  // the largest bf16
                          3.4e38f,        // rounds to infinity
                          1e-40f,         // denormal
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()};
  const int64_t n = static_cast<int64_t>(std::size(values));
  const at::Tensor row = at::from_blob(const_cast<float*>(values), {1, n}).clone();
  const Emulated own = MakeEmulated();
  at::Tensor dx = at::zeros({1, n}, at::kBFloat16);
  own.kernels->LoraDownBackward(at::ones({1, 1}), row, Dropout(), dx);
  const at::Tensor wanted = row.to(at::kBFloat16);
  for (int64_t i = 0; i + 1 < n; ++i) {
    EXPECT_EQ(dx[0][i].item<float>(), wanted[0][i].item<float>()) << values[i];
  }
  EXPECT_TRUE(std::isnan(dx[0][n - 1].item<float>()));
}

TEST(CudaKernels, RowsWithoutALabelHaveNeitherLossNorGradient) {
  const Emulated own = MakeEmulated();
  at::Tensor logits = at::full({3, 300}, NAN), losses = at::full({3}, NAN);
  logits.select(0, 1).fill_(2);
  own.kernels->CrossEntropy(logits, at::tensor({-1, 7, -100}, at::kLong), 0.5, losses);
  EXPECT_NEAR(losses[1].item<double>(), std::log(300.0), 1e-5);
  EXPECT_EQ(losses[0].item<float>(), 0);
  EXPECT_EQ(losses[2].item<float>(), 0);
  EXPECT_EQ(logits.select(0, 0).abs().max().item<float>(), 0);
  EXPECT_EQ(logits.select(0, 2).abs().max().item<float>(), 0);
  EXPECT_NEAR(logits.select(0, 1).sum().item<double>(), 0, 1e-6);
}

TEST(CudaKernels, LossOfExtremeLogits) {
  const Emulated own = MakeEmulated();
  at::Tensor logits = at::zeros({2, 40}, at::kFloat);
  logits[0][3] = 5000;
  logits[1].fill_(-3000);
  at::Tensor losses = at::empty({2}, at::kFloat);
  own.kernels->CrossEntropy(logits, at::tensor({3, 0}, at::kLong), 1, losses);
  EXPECT_NEAR(losses[0].item<double>(), 0, 1e-6);
  EXPECT_NEAR(losses[1].item<double>(), std::log(40.0), 1e-3);
  EXPECT_LT(logits.sum(1).abs().max().item<double>(), 1e-5);
}

TEST(CudaKernels, TheFirstOfEqualMaximaIsTheBest) {
  const Emulated own = MakeEmulated();
  for (const int64_t first : {0, 1, 31, 32, 255, 256, 511}) {
    at::Tensor logits = at::zeros({1, 600}, at::kFloat);
    for (const int64_t later : {first, first + 32, first + 77}) logits[0][later] = 4;
    at::Tensor sum = at::empty({1}, at::kFloat), best = at::empty({1}, at::kLong);
    own.kernels->LogSumExp(logits, sum, best);
    EXPECT_EQ(best.item<int64_t>(), first);
  }
}

TEST(CudaKernels, NothingIsLaunchedForNoRows) {
  const Emulated own = MakeEmulated();
  const auto launched = own.launcher->launched();
  at::Tensor y = at::empty({0, 8}, at::kFloat);
  own.kernels->RmsNorm(at::empty({0, 8}), at::ones({8}), 1e-5, y);
  own.kernels->SwiGlu(y, y, y);
  EXPECT_EQ(own.launcher->launched(), launched);
}

// Runs one kernel, then spoils an element of what it wrote; or fails to run it.
class BrokenLauncher : public EmulatedLauncher {
 public:
  BrokenLauncher(std::string kernel, bool fails)
      : EmulatedLauncher(kEmulationSeed), kernel_(std::move(kernel)), fails_(fails) {}
  absl::Status Launch(const char* kernel, Grid grid, const void* arguments) override {
    const bool broken = kernel == kernel_;
    if (broken && fails_) return absl::InternalError("the device is on strike");
    const absl::Status status = EmulatedLauncher::Launch(kernel, grid, arguments);
    if (broken) {
      *static_cast<float*>(static_cast<const device::RmsNormArguments*>(arguments)->y) += 1;
    }
    return status;
  }

 private:
  std::string kernel_;
  bool fails_;
};

TEST(CudaKernels, TheReferenceDoesWhatAKernelDoesWrong) {
  for (const bool fails : {false, true}) {
    std::string said;
    const auto kernels = MakeCudaKernels(
        std::make_unique<BrokenLauncher>("scm_rms_norm_f32", fails), at::kCPU, &said);
    EXPECT_THAT(said, testing::HasSubstr("do not agree with torch on this GPU"));
    EXPECT_THAT(said, testing::HasSubstr(fails ? "rms_norm (the device is on strike"
                                               : "rms_norm (differs by "));
    EXPECT_THAT(said, testing::Not(testing::HasSubstr("rms_norm_backward")));
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 0);
    const auto plain = MakeAtenKernels();
    const CaseShape shape;
    EXPECT_EQ(
        LargestDifference(RunCase(OwnKernel::kRmsNorm, *kernels, shape, at::kFloat, at::kCPU, 3),
                          RunCase(OwnKernel::kRmsNorm, *plain, shape, at::kFloat, at::kCPU, 3)),
        0);
  }
}

// With torch's CPU wheel nothing is there to run kernels on.
TEST(CudaKernels, WithoutAGpuTheReferenceDoesEverythingAndTheLogSaysWhy) {
  if (at::hasCUDA()) GTEST_SKIP() << "this torch has CUDA";
  testing::internal::CaptureStderr();
  const auto kernels = MakeKernelsFor(at::Device("cuda:0"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("torch does what the CUDA kernels would: .*no .*\n"));
  const CaseShape shape;
  EXPECT_EQ(LargestDifference(
                RunCase(OwnKernel::kRope, *kernels, shape, at::kFloat, at::kCPU, 3),
                RunCase(OwnKernel::kRope, *MakeAtenKernels(), shape, at::kFloat, at::kCPU, 3)),
            0);
  const FakeSource source(SmallConfig(), 1);
  const auto model = MakeLlamaModel(source, Precision::kFloat32, "cuda:0");
  EXPECT_FALSE(model.ok());
}

// Losses, gradients of all adapters and scores of a model, by own kernels and by the reference.
void ExpectAStepAsTheReferences(const model::LlamaConfig& config, Precision precision,
                                const BaseQuantization& how) {
  const FakeSource source(config, 1);
  const Batch batch = RowsOfLengths({9, 14}, config.vocabulary, 5, 2);
  const Batch other = RowsOfLengths({11, 1, 6}, config.vocabulary, 6);
  const bool narrow = precision == Precision::kBFloat16;
  std::unique_ptr<LlamaModel> models[2];
  std::vector<LossResult> losses[2];
  for (int i = 0; i < 2; ++i) {
    auto kernels = i == 0 ? MakeEmulated(kEmulationSeed, 64).kernels : MakeAtenKernels();
    auto model = MakeLlamaModelWith(source, precision, "cpu", std::move(kernels), how);
    ASSERT_TRUE(model.ok()) << model.status();
    models[i] = *std::move(model);
    for (const int64_t rank : {5, 17}) {
      ASSERT_TRUE(models[i]->AddAdapterSet(MakeLora(AllModules(), 0.2, rank), 3).ok());
    }
    std::vector<MicroBatch> both(2);
    for (size_t set = 0; set < 2; ++set) {
      for (AdapterPair& pair : models[i]->adapters(set)) {
        Philox rng(17, "test_b", set);
        for (int64_t k = 0; k < pair.b.numel(); ++k) {
          pair.b.mutable_data_ptr<float>()[k] = static_cast<float>(0.1 * rng.Normal());
        }
      }
      both[set].batch = set == 0 ? &batch : &other;
      both[set].adapter_set = set;
      both[set].dropout_seed = 9 + set;
      both[set].step = 4;
      both[set].gradient_scale = 1.0 / 12;
    }
    auto result = models[i]->TrainStep(both);
    ASSERT_TRUE(result.ok()) << result.status();
    losses[i] = *std::move(result);
  }
  for (size_t set = 0; set < 2; ++set) {
    EXPECT_EQ(losses[0][set].labels, losses[1][set].labels);
    EXPECT_NEAR(losses[0][set].loss_sum, losses[1][set].loss_sum,
                (narrow ? 3e-3 : 1e-5) * losses[1][set].loss_sum);
    for (size_t i = 0; i < models[0]->adapters(set).size(); ++i) {
      const AdapterPair &a = models[0]->adapters(set)[i], &b = models[1]->adapters(set)[i];
      EXPECT_LT(RelativeError(a.grad_a, b.grad_a), narrow ? 3e-2 : 1e-5) << a.name;
      EXPECT_LT(RelativeError(a.grad_b, b.grad_b), narrow ? 3e-2 : 1e-5) << a.name;
    }
  }
  const auto scored = models[0]->Score(batch), wanted = models[1]->Score(batch);
  ASSERT_TRUE(scored.ok() && wanted.ok());
  EXPECT_NEAR((*scored)[0].log_likelihood, (*wanted)[0].log_likelihood, narrow ? 0.3 : 1e-4);
}

TEST(CudaKernels, AStepOfAModelWithTwoRuns) {
  model::LlamaConfig flash = SmallConfig();
  flash.head_dim = 16;
  for (const model::LlamaConfig& config : {SmallConfig(), flash}) {
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
      SCOPED_TRACE(testing::Message() << "heads of " << config.head_dim << ", "
                                      << (precision == Precision::kFloat32 ? "fp32" : "bf16"));
      const FlashCalls before = SeenFlashCalls();
      ExpectAStepAsTheReferences(config, precision, {});
      const bool packed = precision == Precision::kBFloat16 && config.head_dim == 16;
      // Three in the check at the start; then each of two layers.
      EXPECT_EQ(SeenFlashCalls().backward - before.backward, 3 + (packed ? 2 : 0));
    }
  }
}

TEST(CudaKernels, AStepOfAQuantizedModel) {
  using Kind = BaseQuantization::Kind;
  for (const BaseQuantization& how : std::initializer_list<BaseQuantization>{
           {Kind::kNf4, true}, {Kind::kNf4, false}, {Kind::kInt8, true}}) {
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
      SCOPED_TRACE(QuantizationName(how));
      ExpectAStepAsTheReferences(SmallConfig(), precision, how);
    }
  }
}

}  // namespace
}  // namespace scm::trainer
