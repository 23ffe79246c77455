#include "trainer/compute/cuda/cuda_kernels.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <bitset>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trainer/compute/cuda/driver_launcher.h"
#include "trainer/compute/cuda/kernel_cases.h"
#include "trainer/compute/cuda/kernels/arguments.h"

namespace scm::trainer {
namespace {

constexpr int64_t kPointwiseBlocks = 4096;

// What a kernel can read: fp32 or bf16, unit stride in a row.
bool Readable(const at::Tensor& t) {
  return (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16) &&
         (t.stride(-1) == 1 || t.size(-1) == 1);
}
bool ReadableAs(at::ScalarType type, const at::Tensor& t) {
  return Readable(t) && t.scalar_type() == type;
}
bool IsFloat(const at::Tensor& t) { return ReadableAs(at::kFloat, t); }

const char* Suffix(const at::Tensor& t) { return t.scalar_type() == at::kFloat ? "_f32" : "_bf16"; }

unsigned Blocks(int64_t count, int64_t of) { return static_cast<unsigned>((count + of - 1) / of); }

device::MaskKeys KeysFor(const Dropout& d) {
  return {d.key0, d.key1, d.threshold, d.scale, d.first_row};
}

class CudaKernels : public Kernels {
 public:
  CudaKernels(std::unique_ptr<Launcher> launcher, std::unique_ptr<Kernels> reference)
      : launcher_(std::move(launcher)), reference_(std::move(reference)) {
    own_.set();
  }
  Kernels& reference() { return *reference_; }
  void GiveUp(OwnKernel kernel) { own_.reset(static_cast<size_t>(kernel)); }

  void RmsNorm(const at::Tensor& x, const at::Tensor& w, double eps, at::Tensor& y) override {
    if (!Own(OwnKernel::kRmsNorm) || !Readable(x) || !ReadableAs(x.scalar_type(), w) ||
        !ReadableAs(x.scalar_type(), y)) {
      return reference_->RmsNorm(x, w, eps, y);
    }
    const device::RmsNormArguments a{
        x.const_data_ptr(), w.const_data_ptr(),          y.mutable_data_ptr(),   x.stride(0),
        y.stride(0),        static_cast<int>(x.size(1)), static_cast<float>(eps)};
    Launch(absl::StrCat("scm_rms_norm", Suffix(x)), RowGrid(x), a);
  }
  void RmsNormBackward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& w, double eps,
                       at::Tensor& dx) override {
    if (!Own(OwnKernel::kRmsNormBackward) || !Readable(x) || !ReadableAs(x.scalar_type(), w) ||
        !(IsFloat(dy) || ReadableAs(x.scalar_type(), dy)) || !IsFloat(dx) || !dx.is_contiguous()) {
      return reference_->RmsNormBackward(dy, x, w, eps, dx);
    }
    const device::RmsNormBackwardArguments a{
        dy.const_data_ptr(),          x.const_data_ptr(),     w.const_data_ptr(),
        dx.mutable_data_ptr<float>(), dy.stride(0),           x.stride(0),
        static_cast<int>(x.size(1)),  static_cast<float>(eps)};
    Launch(absl::StrCat("scm_rms_norm_backward", Suffix(dy), Suffix(x)), RowGrid(x), a);
  }

  // The product is cuBLAS's; low-rank part, residual and cast are one pass over its result.
  void Linear(const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
              const at::Tensor& residual, at::Tensor& y) override {
    const at::ScalarType type = y.scalar_type();
    if (!Own(OwnKernel::kLinear) || lora == nullptr || w.quantized != nullptr ||
        !ReadableAs(type, x) || !ReadableAs(type, w.plain) || !ReadableAs(type, y) ||
        (residual.defined() && !ReadableAs(type, residual))) {
      return reference_->Linear(x, w, lora, residual, y);
    }
    const at::Tensor product = at::mm(x, w.plain.t());
    device::AddLowRankArguments a = LowRankArguments(product, y);
    if (residual.defined()) {
      a.residual = residual.const_data_ptr();
      a.residual_stride = residual.stride(0);
    }
    SetLowRank(lora->u, lora->b, 1, lora->b.stride(0), &a);
    a.scale = lora->scale;
    AddLowRank(y, a);
  }
  void LinearBackward(const std::vector<GradientTerm>& terms, at::Tensor& dx) override {
    reference_->LinearBackward(terms, dx);
  }

  void LoraDown(const at::Tensor& x, const at::Tensor& a, const Dropout& dropout,
                at::Tensor& u) override {
    if (!Own(OwnKernel::kLoraDown) || !Readable(x) || !IsFloat(a) || !IsFloat(u)) {
      return reference_->LoraDown(x, a, dropout, u);
    }
    Narrow(x, a.const_data_ptr<float>(), a.stride(0), 1, 1, dropout, u);
  }
  void LoraUpBackward(const at::Tensor& dy, const at::Tensor& b, float scale,
                      at::Tensor& du) override {
    if (!Own(OwnKernel::kLoraUpBackward) || !Readable(dy) || !IsFloat(b) || !IsFloat(du)) {
      return reference_->LoraUpBackward(dy, b, scale, du);
    }
    Narrow(dy, b.const_data_ptr<float>(), 1, b.stride(0), scale, Dropout(), du);
  }
  void LoraGradients(const at::Tensor& dy, const at::Tensor& u, float scale, const at::Tensor& du,
                     const at::Tensor& x, const Dropout& dropout, at::Tensor& grad_a,
                     at::Tensor& grad_b) override {
    if (!Own(OwnKernel::kLoraGradients) || !Readable(dy) || !Readable(x) || !IsFloat(u) ||
        !IsFloat(du) || !IsFloat(grad_a) || !IsFloat(grad_b)) {
      return reference_->LoraGradients(dy, u, scale, du, x, dropout, grad_a, grad_b);
    }
    Tall(dy, u, scale, Dropout(), 1, grad_b.stride(0), grad_b);
    Tall(x, du, 1, dropout, grad_a.stride(0), 1, grad_a);
  }
  void LoraDownBackward(const at::Tensor& du, const at::Tensor& a, const Dropout& dropout,
                        at::Tensor& dx) override {
    if (!Own(OwnKernel::kLoraDownBackward) || !IsFloat(du) || !IsFloat(a) || !Readable(dx)) {
      return reference_->LoraDownBackward(du, a, dropout, dx);
    }
    device::AddLowRankArguments arguments = LowRankArguments(dx, dx);
    SetLowRank(du, a, a.stride(0), 1, &arguments);
    arguments.scale = 1;
    arguments.mask = KeysFor(dropout);
    AddLowRank(dx, arguments);
  }

  void Rope(at::Tensor& x, int64_t heads, int64_t head_dim, const at::Tensor& positions,
            const at::Tensor& cos, const at::Tensor& sin, bool inverse) override {
    if (!Own(OwnKernel::kRope) || !Readable(x) || !cos.is_contiguous() || !sin.is_contiguous()) {
      return reference_->Rope(x, heads, head_dim, positions, cos, sin, inverse);
    }
    const device::RopeArguments a{x.mutable_data_ptr(),
                                  positions.const_data_ptr<int32_t>(),
                                  cos.const_data_ptr<float>(),
                                  sin.const_data_ptr<float>(),
                                  x.stride(0),
                                  static_cast<int>(heads),
                                  static_cast<int>(head_dim / 2),
                                  inverse ? -1.0f : 1.0f};
    Launch(absl::StrCat("scm_rope", Suffix(x)), RowGrid(x), a);
  }

  void Attention(const at::Tensor& qkv, const AttentionShape& shape,
                 const std::vector<TokenSpan>& documents, at::Tensor& out,
                 at::Tensor& lse) override {
    reference_->Attention(qkv, shape, documents, out, lse);
  }
  void AttentionBackward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                         const at::Tensor& grad_out, const AttentionShape& shape,
                         const std::vector<TokenSpan>& documents, at::Tensor& grad_qkv) override {
    reference_->AttentionBackward(qkv, out, lse, grad_out, shape, documents, grad_qkv);
  }

  void SwiGlu(const at::Tensor& gate, const at::Tensor& up, at::Tensor& act) override {
    if (!Own(OwnKernel::kSwiGlu) || !Flat(gate, up, act)) return reference_->SwiGlu(gate, up, act);
    const device::SwiGluArguments a{gate.const_data_ptr(), up.const_data_ptr(),
                                    act.mutable_data_ptr(), gate.numel()};
    Launch(absl::StrCat("scm_swiglu", Suffix(gate)), Pieces(gate), a);
  }
  void SwiGluBackward(const at::Tensor& dact, at::Tensor& gate, at::Tensor& up) override {
    if (!Own(OwnKernel::kSwiGluBackward) || !Flat(gate, up, dact)) {
      return reference_->SwiGluBackward(dact, gate, up);
    }
    const device::SwiGluBackwardArguments a{dact.const_data_ptr(), gate.mutable_data_ptr(),
                                            up.mutable_data_ptr(), gate.numel()};
    Launch(absl::StrCat("scm_swiglu_backward", Suffix(gate)), Pieces(gate), a);
  }

  void CrossEntropy(at::Tensor& logits, const at::Tensor& labels, double gradient_scale,
                    at::Tensor& losses) override {
    if (!Own(OwnKernel::kCrossEntropy) || !IsFloat(logits) || !logits.is_contiguous() ||
        !labels.is_contiguous() || !losses.is_contiguous()) {
      return reference_->CrossEntropy(logits, labels, gradient_scale, losses);
    }
    const device::CrossEntropyArguments a{
        logits.mutable_data_ptr<float>(), Longs(labels.const_data_ptr<int64_t>()),
        losses.mutable_data_ptr<float>(), static_cast<int>(logits.size(1)),
        static_cast<float>(gradient_scale)};
    Launch("scm_cross_entropy_f32", RowGrid(logits), a);
  }
  void LogSumExp(const at::Tensor& logits, at::Tensor& log_sum, at::Tensor& arg_max) override {
    if (!Own(OwnKernel::kLogSumExp) || !IsFloat(logits) || !logits.is_contiguous() ||
        !log_sum.is_contiguous() || !arg_max.is_contiguous()) {
      return reference_->LogSumExp(logits, log_sum, arg_max);
    }
    const device::LogSumExpArguments a{
        logits.const_data_ptr<float>(), log_sum.mutable_data_ptr<float>(),
        const_cast<long long*>(Longs(arg_max.mutable_data_ptr<int64_t>())),
        static_cast<int>(logits.size(1))};
    Launch("scm_log_sum_exp_f32", RowGrid(logits), a);
  }

 private:
  bool Own(OwnKernel kernel) const { return own_[static_cast<size_t>(kernel)]; }

  static Grid RowGrid(const at::Tensor& t) { return {static_cast<unsigned>(t.size(0))}; }
  static Grid Pieces(const at::Tensor& t) {
    return {static_cast<unsigned>(
        std::min(kPointwiseBlocks, (t.numel() + device::kThreads - 1) / device::kThreads))};
  }
  static bool Flat(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
    return Readable(a) && ReadableAs(a.scalar_type(), b) && ReadableAs(a.scalar_type(), c) &&
           a.is_contiguous() && b.is_contiguous() && c.is_contiguous();
  }
  static const long long* Longs(const int64_t* p) {
    static_assert(sizeof(long long) == sizeof(int64_t));
    return reinterpret_cast<const long long*>(p);
  }

  // Of nothing, nothing is launched.
  template <typename Arguments>
  void Launch(const std::string& kernel, Grid grid, const Arguments& arguments) {
    if (grid.x == 0 || grid.y == 0) return;
    const absl::Status status = launcher_->Launch(kernel.c_str(), grid, &arguments);
    TORCH_CHECK(status.ok(), std::string(status.message()));
  }

  void Narrow(const at::Tensor& x, const float* w, int64_t w_rank, int64_t w_depth, float scale,
              const Dropout& dropout, at::Tensor& u) {
    const device::NarrowProductArguments a{x.const_data_ptr(),
                                           w,
                                           u.mutable_data_ptr<float>(),
                                           x.stride(0),
                                           u.stride(0),
                                           w_rank,
                                           w_depth,
                                           static_cast<int>(x.size(0)),
                                           static_cast<int>(x.size(1)),
                                           static_cast<int>(u.size(1)),
                                           scale,
                                           KeysFor(dropout)};
    Launch(absl::StrCat("scm_narrow_product", Suffix(x)),
           {Blocks(x.size(0), device::kTileRows), Blocks(u.size(1), device::kTileRank)}, a);
  }
  void Tall(const at::Tensor& x, const at::Tensor& u, float scale, const Dropout& dropout,
            int64_t g_rank, int64_t g_column, at::Tensor& g) {
    const device::TallProductArguments a{x.const_data_ptr(),
                                         u.const_data_ptr<float>(),
                                         g.mutable_data_ptr<float>(),
                                         x.stride(0),
                                         u.stride(0),
                                         g_rank,
                                         g_column,
                                         static_cast<int>(x.size(0)),
                                         static_cast<int>(x.size(1)),
                                         static_cast<int>(u.size(1)),
                                         scale,
                                         KeysFor(dropout)};
    Launch(absl::StrCat("scm_tall_product", Suffix(x)),
           {Blocks(x.size(1), device::kTileColumns), Blocks(u.size(1), device::kTileRank)}, a);
  }

  static device::AddLowRankArguments LowRankArguments(const at::Tensor& base, at::Tensor& y) {
    device::AddLowRankArguments a{};
    a.base = base.const_data_ptr();
    a.base_stride = base.stride(0);
    a.y = y.mutable_data_ptr();
    a.y_stride = y.stride(0);
    a.rows = static_cast<int>(y.size(0));
    a.columns = static_cast<int>(y.size(1));
    return a;
  }
  static void SetLowRank(const at::Tensor& u, const at::Tensor& w, int64_t w_rank, int64_t w_column,
                         device::AddLowRankArguments* a) {
    a->u = u.const_data_ptr<float>();
    a->u_stride = u.stride(0);
    a->rank = static_cast<int>(u.size(1));
    a->w = w.const_data_ptr<float>();
    a->w_rank = w_rank;
    a->w_column = w_column;
  }
  void AddLowRank(const at::Tensor& y, const device::AddLowRankArguments& a) {
    Launch(absl::StrCat("scm_add_low_rank", Suffix(y)),
           {Blocks(a.rows, device::kWideRows), Blocks(a.columns, device::kThreads)}, a);
  }

  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<Kernels> reference_;
  std::bitset<kOwnKernels> own_;
};

// "" where both agree on the device, else what is wrong.
std::string Disagreement(OwnKernel kernel, CudaKernels& own, const c10::Device& device) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    try {
      const CaseShape shape;
      const double difference =
          LargestDifference(RunCase(kernel, own, shape, type, device, 1),
                            RunCase(kernel, own.reference(), shape, type, device, 1));
      if (!(difference <= LargestAllowed(type))) {
        return absl::StrCat(NameOf(kernel), " (differs by ", difference, ")");
      }
    } catch (const c10::Error& error) {
      return absl::StrCat(NameOf(kernel), " (", error.what_without_backtrace(), ")");
    }
  }
  return "";
}

}  // namespace

std::unique_ptr<Kernels> MakeCudaKernels(std::unique_ptr<Launcher> launcher,
                                         const c10::Device& device, std::string* said) {
  auto kernels = std::make_unique<CudaKernels>(std::move(launcher), MakeAtenKernels());
  std::vector<std::string> wrong;
  for (int i = 0; i < kOwnKernels; ++i) {
    const auto kernel = static_cast<OwnKernel>(i);
    std::string one = Disagreement(kernel, *kernels, device);
    if (one.empty()) continue;
    kernels->GiveUp(kernel);
    wrong.push_back(std::move(one));
  }
  if (!wrong.empty()) {
    *said = absl::StrCat(
        "CUDA kernels that do not agree with torch on this GPU, which torch does "
        "instead: ",
        absl::StrJoin(wrong, ", "));
  }
  return kernels;
}

std::unique_ptr<Kernels> MakeKernelsFor(const c10::Device& device) {
  if (device.is_cpu()) return MakeCpuKernels();
  if (!device.is_cuda()) return MakeAtenKernels();
  absl::StatusOr<OpenedLauncher> opened = OpenDriverLauncher(device);
  if (!opened.ok()) {
    std::fprintf(stderr, "torch does what the CUDA kernels would: %s\n",
                 std::string(opened.status().message()).c_str());
    return MakeAtenKernels();
  }
  std::string said;
  auto kernels = MakeCudaKernels(std::move(opened->launcher), device, &said);
  for (const std::string& line : {opened->note, said}) {
    if (!line.empty()) std::fprintf(stderr, "%s\n", line.c_str());
  }
  return kernels;
}

}  // namespace scm::trainer
