// What is computed from shapes against what is allocated: the CPU allocator counts.
#include "trainer/compute/memory_plan.h"

#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>

#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

struct Counts {
  std::atomic<int64_t> live{0}, peak{0};
};
Counts& CountsNow() {
  static auto* const counts = new Counts;
  return *counts;
}

struct Piece {
  c10::DataPtr data;
  int64_t bytes;
};
void DeletePiece(void* context) {
  const std::unique_ptr<Piece> piece(static_cast<Piece*>(context));
  CountsNow().live -= piece->bytes;
}

class CountingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    auto piece = std::make_unique<Piece>();
    piece->data = c10::GetDefaultCPUAllocator()->allocate(size);
    piece->bytes = static_cast<int64_t>(size);
    Counts& counts = CountsNow();
    counts.peak = std::max<int64_t>(counts.peak, counts.live += piece->bytes);
    void* const at = piece->data.get();
    const c10::Device device = piece->data.device();
    return {at, piece.release(), &DeletePiece, device};
  }
  void copy_data(void* to, const void* from, size_t count) const override {
    std::memcpy(to, from, count);
  }
};

// Counts from its construction on, on top of what is allocated by then.
class Counting {
 public:
  Counting() : before_(c10::GetCPUAllocator()) {
    c10::SetCPUAllocator(&allocator_, 1);
    CountsNow().live = 0;
    CountsNow().peak = 0;
  }
  ~Counting() { c10::SetCPUAllocator(before_, 1); }
  int64_t peak() const { return CountsNow().peak; }
  int64_t live() const { return CountsNow().live; }

 private:
  CountingAllocator allocator_;
  c10::Allocator* before_;
};

model::LlamaConfig MiddlingConfig() {
  model::LlamaConfig c;
  c.vocabulary = 3001;
  c.hidden = 256;
  c.intermediate = 600;
  c.layers = 4;
  c.heads = 8;
  c.kv_heads = 2;
  c.head_dim = 40;
  return c;
}

struct PlanCase {
  const char* name;
  std::vector<std::string> modules;
  bool tied = false, family = false;
  Precision precision = Precision::kFloat32;
  bool recompute = false;
  std::vector<int64_t> lengths = {256, 256, 256, 256};
};

LoraConfig LoraOf(const PlanCase& c) {
  LoraConfig lora = MakeLora(c.modules, 0.1, 16);
  lora.rank_pattern = {{"layers.1.self_attn.o_proj", 40}};
  return lora;
}

TrainingShape ShapeOf(const PlanCase& c) {
  TrainingShape shape;
  shape.config = MiddlingConfig();
  shape.config.tied_embeddings = c.tied;
  shape.config.qkv_bias = shape.config.qk_norm = c.family;
  shape.precision = c.precision;
  shape.longest = *std::max_element(c.lengths.begin(), c.lengths.end());
  shape.recompute = c.recompute;
  shape.runs = {NeedsOf(shape.config, LoraOf(c),
                        std::accumulate(c.lengths.begin(), c.lengths.end(), int64_t{0}))};
  return shape;
}

void CompareWithAllocations(const PlanCase& c, const CpuFunctions* table) {
  const TrainingShape shape = ShapeOf(c);
  const FakeSource source(shape.config, 1);
  const Batch batch = RowsOfLengths(c.lengths, shape.config.vocabulary, 2);
  const MemoryPlan plan = PlanMemory(shape, table);
  const Counting counting;
  auto kernels = table == nullptr ? MakeAtenKernels() : MakeCpuKernels(table);
  auto model = MakeLlamaModelWith(source, c.precision, "cpu", std::move(kernels));
  ASSERT_TRUE(model.ok()) << model.status();
  (*model)->RecomputeActivations(c.recompute);
  ASSERT_TRUE((*model)->AddLora(LoraOf(c), 3).ok());
  const auto step = (*model)->TrainStep(batch, 1, 1, 1, 0);
  ASSERT_TRUE(step.ok()) << step.status();
  // Kept between steps: everything but the optimiser, which is another's, and the logits.
  const auto kept = static_cast<double>(plan.weights + plan.adapters + plan.activations);
  EXPECT_NEAR(static_cast<double>(counting.live()) / kept, 1, 0.02) << c.name;
  if (table == nullptr) return;  // plain operations make copies as they go
  EXPECT_NEAR(static_cast<double>(counting.peak()) / (kept + static_cast<double>(plan.logits)), 1,
              0.04)
      << c.name;
}

TEST(PlannedMemory, IsWhatIsAllocated) {
  at::set_num_threads(1);
  const PlanCase cases[] = {
      {"usual", {"q_proj", "v_proj", "o_proj", "gate_proj"}},
      {"all, tied", AllModules(), true},
      {"a family's tensors", AllModules(), false, true},
      {"bf16", AllModules(), true, false, Precision::kBFloat16},
      {"bf16 of a family", {"down_proj"}, false, true, Precision::kBFloat16},
      {"computed again", AllModules(), true, false, Precision::kFloat32, true},
      {"cut", AllModules(), true, false, Precision::kFloat32, false, {512, 512, 512, 512, 512}},
      {"cut, computed again",
       {"q_proj"},
       false,
       true,
       Precision::kBFloat16,
       true,
       {700, 1100, 600}},
  };
  for (const PlanCase& c : cases) {
    // In bf16 plain operations ask the allocator for what a counting one cannot give.
    if (c.precision == Precision::kFloat32) CompareWithAllocations(c, nullptr);
    for (const char* isa : {"baseline", "avx2", "avx512", "avx512_bf16", "amx"}) {
      const CpuFunctions* table = CpuFunctionsByName(isa);
      if (table == nullptr) continue;  // this machine lacks it
      SCOPED_TRACE(isa);
      CompareWithAllocations(c, table);
    }
  }
}

TEST(PlannedMemory, OfQuantisedLayers) {
  model::LlamaConfig config = MiddlingConfig();
  const FakeSource source(config, 1);
  for (const BaseQuantization& quantization :
       {BaseQuantization{BaseQuantization::Kind::kNf4, true},
        BaseQuantization{BaseQuantization::Kind::kNf4, false},
        BaseQuantization{BaseQuantization::Kind::kInt8}}) {
    const auto model =
        MakeLlamaModelWith(source, Precision::kFloat32, "cpu", MakeAtenKernels(), quantization);
    ASSERT_TRUE(model.ok()) << model.status();
    // Beside the matrices: embeddings, head and norms.
    const int64_t others = (2 * config.vocabulary + 2 * config.layers + 1) * config.hidden * 4;
    TrainingShape shape;
    shape.config = config;
    shape.quantization = quantization;
    shape.longest = 10;
    shape.runs = {NeedsOf(config, MakeLora({"q_proj"}), 10)};
    const MemoryPlan plan = PlanMemory(shape, nullptr);
    // Lists of scales that grew take a little more than they hold.
    EXPECT_NEAR(static_cast<double>(plan.weights - others) /
                    static_cast<double>((*model)->quantized_base().bytes),
                1, 0.01)
        << QuantizationName(quantization);
  }
}

}  // namespace
}  // namespace scm::trainer
