// The training loop with a model whose kernels and optimiser are those of a GPU, emulated, beside
// the same runs on the CPU.
#include <gmock/gmock.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/trainer/compute/cuda/emulated_kernels.h"
#include "tests/trainer/compute/support.h"
#include "tests/trainer/loop/fakes.h"
#include "trainer/compute/cuda/cuda_kernels.h"
#include "trainer/compute/replay_check.h"
#include "trainer/loop/train_loop.h"

namespace scm::trainer {
namespace {

using testing::MemoryCheckpoints;
using testing::RecordingReporter;
using testing::TickingClock;

constexpr int kSteps = 4, kSaveAt = 2;

// Three that differ in what an update computes with; the third accumulates.
std::vector<JobSpec> DeviceSpecs() {
  std::vector<JobSpec> specs(3);
  for (size_t i = 0; i < specs.size(); ++i) {
    JobSpec& spec = specs[i];
    spec.run_id = absl::StrCat("r-", i);
    spec.seed = 20 + i;
    spec.max_steps = spec.stop_at_step = kSteps;
    spec.save_steps = kSaveAt;
    spec.eval_steps = kSteps;
    spec.training.learning_rate = 0.01 / static_cast<double>(i + 1);
    spec.training.weight_decay = 0.1 * static_cast<double>(i);
    spec.training.max_grad_norm = i == 1 ? 0 : 0.5;
    spec.training.warmup_steps = 1;
    spec.training.batch_size = 2;
    spec.training.gradient_accumulation = i == 2 ? 3 : 1;
    spec.data.packing = i != 0;
    spec.data.max_length = 16;
  }
  return specs;
}

std::vector<TokenExample> DeviceExamples() {
  std::vector<TokenExample> examples(7);
  Philox rng(4, "device_loop_test");
  for (size_t i = 0; i < examples.size(); ++i) {
    for (size_t k = 0; k < 4 + i; ++k) {
      examples[i].tokens.push_back(static_cast<int32_t>(rng.Below(61)));
    }
    examples[i].answer_start = 2;
  }
  return examples;
}

std::unique_ptr<Kernels> EmulatedKernels(uint64_t seed, EmulatedLauncher** launcher) {
  auto emulated = std::make_unique<EmulatedLauncher>(seed);
  if (launcher != nullptr) *launcher = emulated.get();
  std::string said;
  auto kernels = MakeCudaKernels(std::move(emulated), at::kCPU, &said);
  EXPECT_EQ(said, "");
  return kernels;
}

// The three runs in one process.
struct DevicePack {
  struct One {
    JobSpec spec;
    RecordingReporter reporter;
    MemoryCheckpoints checkpoints;
    std::unique_ptr<TrainRun> run;
    absl::Status end;
  };

  explicit DevicePack(std::unique_ptr<Kernels> kernels) : source(SmallConfig(), 1) {
    auto made = MakeLlamaModelWith(source, Precision::kFloat32, "cpu", std::move(kernels));
    EXPECT_TRUE(made.ok()) << made.status();
    model = std::move(*made);
    const std::vector<JobSpec> specs = DeviceSpecs();
    for (const JobSpec& spec : specs) {
      EXPECT_TRUE(model->AddAdapterSet(MakeLora(AllModules(), 0.2), spec.seed).ok());
    }
    optimizer = MakeOptimizer(model.get());
    ValidationItem item;
    item.choices = {examples[0], examples[1]};
    item.gold = {0};
    validation.items.push_back(item);
    for (size_t i = 0; i < specs.size(); ++i) {
      One& one = *ones.emplace_back(std::make_unique<One>());
      one.spec = specs[i];
      one.run = std::make_unique<TrainRun>(
          one.spec, TrainRunParts{model.get(), &examples, &validation, &one.reporter, &commands,
                                  &one.checkpoints, optimizer.get(), i});
    }
  }
  void ResumeFrom(DevicePack& other, int64_t step) {
    for (size_t i = 0; i < ones.size(); ++i) {
      const MemoryCheckpoints::Saved& saved = other.ones[i]->checkpoints.saved.at(step);
      MemoryCheckpoints::Restore(saved, ones[i]->run->optimizer());
      ASSERT_TRUE(ones[i]->run->Resume(saved.state).ok());
    }
  }
  void Run() {
    std::vector<TrainRun*> runs;
    for (const auto& one : ones) runs.push_back(one->run.get());
    const absl::Status status = TrainLoop(model.get(), optimizer.get(), &clock, runs)
                                    .Run([&](TrainRun& run, absl::StatusOr<TrainOutcome> outcome) {
                                      for (const auto& one : ones) {
                                        if (one->run.get() == &run) one->end = outcome.status();
                                      }
                                      return absl::OkStatus();
                                    });
    ASSERT_TRUE(status.ok()) << status;
  }
  at::Tensor Adapters(size_t set) {
    const FlatAdapters& flat = model->flat_adapters();
    return flat.Of(flat.parameters, set).clone();
  }

  FakeSource source;
  std::unique_ptr<LlamaModel> model;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<TokenExample> examples = DeviceExamples();
  ValidationSet validation;
  CommandQueue commands;
  TickingClock clock;
  std::vector<std::unique_ptr<One>> ones;
};

double Metric(const Json& line, const char* name) { return line["metrics"][name].get<double>(); }

TEST(DeviceLoop, TrainsSeveralRunsAsTheCpuDoesAndResumesBitForBit) {
  EmulatedLauncher* launcher = nullptr;
  DevicePack device(EmulatedKernels(3, &launcher)), plain(MakeAtenKernels());
  ASSERT_NE(device.model->launcher(), nullptr);
  ASSERT_EQ(plain.model->launcher(), nullptr);
  device.Run();
  plain.Run();
  EXPECT_TRUE(launcher->launched().contains("scm_adamw_f32"));
  for (size_t i = 0; i < device.ones.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "run " << i);
    EXPECT_TRUE(device.ones[i]->end.ok()) << device.ones[i]->end;
    EXPECT_LT(RelativeError(device.Adapters(i), plain.Adapters(i)), 1e-5);
    const auto own = device.ones[i]->reporter.OfType("progress");
    const auto wanted = plain.ones[i]->reporter.OfType("progress");
    ASSERT_EQ(own.size(), static_cast<size_t>(kSteps));
    for (size_t k = 0; k < own.size(); ++k) {
      for (const char* name : {"train_loss", "grad_norm", "learning_rate", "tokens"}) {
        EXPECT_NEAR(Metric(own[k], name), Metric(wanted[k], name),
                    1e-5 * std::abs(Metric(wanted[k], name)))
            << name << " of step " << k + 1;
      }
    }
  }
  DevicePack resumed(EmulatedKernels(4, nullptr));  // another order of blocks and threads
  ReplayCheck check;
  ASSERT_TRUE(resumed.model->CheckReplays(&check).ok());
  resumed.ResumeFrom(device, kSaveAt);
  resumed.Run();
  for (size_t i = 0; i < device.ones.size(); ++i) {
    EXPECT_EQ(resumed.ones[i]->checkpoints.saved.at(kSteps).tensors,
              device.ones[i]->checkpoints.saved.at(kSteps).tensors)
        << "run " << i;
  }
  EXPECT_GT(check.passes(), static_cast<int64_t>(check.keys())) << "no pass came twice";
}

TEST(DeviceLoop, ARunThatDivergesIsNotUpdatedAndLeavesTheOthers) {
  DevicePack pack(EmulatedKernels(3, nullptr)), whole(EmulatedKernels(3, nullptr));
  pack.model->adapters(1)[0].b.fill_(NAN);
  const at::Tensor before = pack.Adapters(1);
  pack.Run();
  whole.Run();
  EXPECT_EQ(pack.ones[1]->end.code(), absl::StatusCode::kAborted) << pack.ones[1]->end;
  EXPECT_TRUE(at::equal(pack.Adapters(1).nan_to_num(), before.nan_to_num()));
  EXPECT_EQ(pack.ones[1]->run->optimizer().updates(), 0);
  for (const size_t i : {0, 2}) {
    EXPECT_EQ(pack.ones[i]->checkpoints.saved.at(kSteps).tensors,
              whole.ones[i]->checkpoints.saved.at(kSteps).tensors)
        << "run " << i;
  }
}

}  // namespace
}  // namespace scm::trainer
