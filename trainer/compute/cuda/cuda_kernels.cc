#include "trainer/compute/cuda/cuda_kernels.h"

#include <ATen/core/Tensor.h>

#include <bitset>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trainer/compute/cuda/device_buffers.h"
#include "trainer/compute/cuda/device_call.h"
#include "trainer/compute/cuda/driver_launcher.h"
#include "trainer/compute/cuda/kernel_cases.h"
#include "trainer/compute/cuda/low_rank_tables.h"
#include "trainer/compute/cuda/packed_attention.h"
#include "trainer/compute/cuda/product_precision.h"

namespace scm::trainer {
namespace {

class CudaKernels : public Kernels {
 public:
  CudaKernels(std::unique_ptr<Launcher> launcher, std::unique_ptr<Kernels> reference,
              const at::Device& device, int64_t tile_elements)
      : launcher_(std::move(launcher)),
        reference_(std::move(reference)),
        buffers_(device),
        products_(launcher_.get(), &buffers_, tile_elements),
        low_rank_(launcher_.get(), &buffers_),
        attention_(&buffers_) {
    own_.set();
  }
  Kernels& reference() { return *reference_; }
  Launcher* launcher() override { return launcher_.get(); }
  // What stands in for an own kernel makes masks on the host, or goes document by document.
  bool CanRecord(at::ScalarType type, const AttentionShape& shape) override {
    return own_.all() && PackedAttention::IsFor(type, shape);
  }
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

  void Pack(FrozenMatrix* w) override {
    if (Own(OwnKernel::kQuantized)) products_.Pack(w);
  }
  // The product is cuBLAS's; low-rank parts, residual and cast are one pass over its result.
  void Linear(const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
              const at::Tensor& residual, at::Tensor& y) override {
    LinearOfBlocks(x, w, {{0, x.size(0), lora == nullptr ? LoraTerm() : *lora}}, residual, y);
  }
  void LinearOfBlocks(const at::Tensor& x, const FrozenMatrix& w,
                      const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                      at::Tensor& y) override {
    std::vector<LowRankRows> rows;
    const bool own = Own(OwnKernel::kLinear) && OwnForm(w) && FrozenProducts::CanForward(x, w, y) &&
                     CanAdd(blocks, residual, y, &rows);
    if (!own) return reference_->LinearOfBlocks(x, w, blocks, residual, y);
    if (rows.empty()) return products_.Forward(x, w, y);
    at::Tensor product = y;
    if (residual.defined() && residual.is_alias_of(y)) {
      product = buffers_.Get(DeviceBuffers::kProduct, y.sizes(), y.scalar_type());
    }
    products_.Forward(x, w, product);
    low_rank_.Add(product, rows, residual, y);
  }
  void LinearBackward(const std::vector<GradientTerm>& terms, at::Tensor& dx) override {
    bool own = Own(OwnKernel::kLinearBackward) && FrozenProducts::CanBackward(terms, dx);
    for (const GradientTerm& term : terms) own = own && OwnForm(term.w);
    if (!own) return reference_->LinearBackward(terms, dx);
    products_.Backward(terms, dx);
  }

  void LoraDown(const at::Tensor& x, const at::Tensor& a, const Dropout& dropout,
                at::Tensor& u) override {
    if (!Own(OwnKernel::kLoraDown) || !Readable(x) || !IsFloat(a) || !IsFloat(u)) {
      return reference_->LoraDown(x, a, dropout, u);
    }
    low_rank_.Narrow(x, {Whole(x, DownRows(a, u, dropout))});
  }
  void LoraUpBackward(const at::Tensor& dy, const at::Tensor& b, float scale,
                      at::Tensor& du) override {
    if (!Own(OwnKernel::kLoraUpBackward) || !Readable(dy) || !IsFloat(b) || !IsFloat(du)) {
      return reference_->LoraUpBackward(dy, b, scale, du);
    }
    low_rank_.Narrow(dy, {Whole(dy, UpRows(b, du, scale))});
  }
  void LoraGradients(const at::Tensor& dy, const at::Tensor& u, float scale, const at::Tensor& du,
                     const at::Tensor& x, const Dropout& dropout, at::Tensor& grad_a,
                     at::Tensor& grad_b) override {
    if (!Own(OwnKernel::kLoraGradients) || !Readable(dy) || !Readable(x) || !IsFloat(u) ||
        !IsFloat(du) || !IsFloat(grad_a) || !IsFloat(grad_b)) {
      return reference_->LoraGradients(dy, u, scale, du, x, dropout, grad_a, grad_b);
    }
    low_rank_.Tall(dy, {Whole(dy, UpRows(grad_b, u, scale))});
    low_rank_.Tall(x, {Whole(x, DownRows(grad_a, du, dropout))});
  }
  void LoraDownBackward(const at::Tensor& du, const at::Tensor& a, const Dropout& dropout,
                        at::Tensor& dx) override {
    if (!Own(OwnKernel::kLoraDownBackward) || !IsFloat(du) || !IsFloat(a) || !Readable(dx)) {
      return reference_->LoraDownBackward(du, a, dropout, dx);
    }
    low_rank_.Add(dx, {Whole(dx, DownRows(a, du, dropout))}, at::Tensor(), dx);
  }
  void LoraDownOfBlocks(const at::Tensor& x, std::vector<AdapterRows>& blocks) override {
    bool own = Own(OwnKernel::kLoraDown) && Readable(x);
    std::vector<LowRankRows> rows;
    for (const AdapterRows& block : blocks) {
      own = own && IsFloat(block.a) && IsFloat(block.u);
      rows.push_back(RowsOf(block, DownRows(block.a, block.u, block.dropout)));
    }
    if (!own) return Kernels::LoraDownOfBlocks(x, blocks);
    low_rank_.Narrow(x, rows);
  }
  void LoraBackwardOfBlocks(const at::Tensor& dy, const at::Tensor& x,
                            std::vector<AdapterRows>& blocks, at::Tensor* dx) override {
    bool own = Own(OwnKernel::kLoraUpBackward) && Own(OwnKernel::kLoraGradients) &&
               Own(OwnKernel::kLoraDownBackward) && Readable(dy) && Readable(x) &&
               (dx == nullptr || Readable(*dx));
    std::vector<LowRankRows> up, grad_b, grad_a, down;
    for (const AdapterRows& block : blocks) {
      for (const at::Tensor* t :
           {&block.a, &block.b, &block.u, &block.du, &block.grad_a, &block.grad_b}) {
        own = own && IsFloat(*t);
      }
      up.push_back(RowsOf(block, UpRows(block.b, block.du, block.scale)));
      grad_b.push_back(RowsOf(block, UpRows(block.grad_b, block.u, block.scale)));
      grad_a.push_back(RowsOf(block, DownRows(block.grad_a, block.du, block.dropout)));
      down.push_back(RowsOf(block, DownRows(block.a, block.du, block.dropout)));
    }
    if (!own) return Kernels::LoraBackwardOfBlocks(dy, x, blocks, dx);
    low_rank_.Narrow(dy, up);
    low_rank_.Tall(dy, grad_b);
    low_rank_.Tall(x, grad_a);
    if (dx != nullptr) low_rank_.Add(*dx, down, at::Tensor(), *dx);
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

  void PrepareAttention(const std::vector<TokenSpan>& documents, int64_t most,
                        int64_t longest) override {
    attention_.Prepare(documents, most, longest);
  }
  void Attention(const at::Tensor& qkv, const AttentionShape& shape,
                 const std::vector<TokenSpan>& documents, at::Tensor& out,
                 at::Tensor& lse) override {
    if (!Own(OwnKernel::kAttention) || !ReadableAs(qkv.scalar_type(), out) ||
        !attention_.Fits(qkv, shape, documents)) {
      return reference_->Attention(qkv, shape, documents, out, lse);
    }
    attention_.Forward(qkv, shape, out, lse);
  }
  void AttentionBackward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                         const at::Tensor& grad_out, const AttentionShape& shape,
                         const std::vector<TokenSpan>& documents, at::Tensor& grad_qkv) override {
    const at::ScalarType type = qkv.scalar_type();
    if (!Own(OwnKernel::kAttentionBackward) || !ReadableAs(type, out) ||
        !ReadableAs(type, grad_out) || !ReadableAs(type, grad_qkv) || !lse.is_contiguous() ||
        !attention_.Fits(qkv, shape, documents)) {
      return reference_->AttentionBackward(qkv, out, lse, grad_out, shape, documents, grad_qkv);
    }
    attention_.Backward(qkv, out, lse, grad_out, shape, grad_qkv);
  }

  void SwiGlu(const at::Tensor& gate, const at::Tensor& up, at::Tensor& act) override {
    if (!Own(OwnKernel::kSwiGlu) || !Flat(gate, up, act)) return reference_->SwiGlu(gate, up, act);
    const device::SwiGluArguments a{gate.const_data_ptr(), up.const_data_ptr(),
                                    act.mutable_data_ptr(), gate.numel()};
    Launch(absl::StrCat("scm_swiglu", Suffix(gate)), GridOver(gate.numel()), a);
  }
  void SwiGluBackward(const at::Tensor& dact, at::Tensor& gate, at::Tensor& up) override {
    if (!Own(OwnKernel::kSwiGluBackward) || !Flat(gate, up, dact)) {
      return reference_->SwiGluBackward(dact, gate, up);
    }
    const device::SwiGluBackwardArguments a{dact.const_data_ptr(), gate.mutable_data_ptr(),
                                            up.mutable_data_ptr(), gate.numel()};
    Launch(absl::StrCat("scm_swiglu_backward", Suffix(gate)), GridOver(gate.numel()), a);
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
  static bool Flat(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
    return Readable(a) && ReadableAs(a.scalar_type(), b) && ReadableAs(a.scalar_type(), c) &&
           a.is_contiguous() && b.is_contiguous() && c.is_contiguous();
  }
  static const long long* Longs(const int64_t* p) {
    static_assert(sizeof(long long) == sizeof(int64_t));
    return reinterpret_cast<const long long*>(p);
  }

  template <typename Arguments>
  void Launch(const std::string& kernel, Grid grid, const Arguments& arguments) {
    LaunchKernel(*launcher_, kernel, grid, arguments);
  }

  // Whether products may read w as Pack has left it.
  bool OwnForm(const FrozenMatrix& w) const {
    return w.quantized == nullptr || Own(OwnKernel::kQuantized);
  }
  // What is to be added to y, in the order of the blocks: nothing, where none has a low-rank part
  // and there is no residual.
  static bool CanAdd(const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                     const at::Tensor& y, std::vector<LowRankRows>* rows) {
    for (const LoraBlock& block : blocks) {
      LowRankRows one;
      if (block.term.u.defined()) {
        if (!IsFloat(block.term.u) || !IsFloat(block.term.b)) return false;
        one = UpRows(block.term.b, block.term.u, block.term.scale);
      } else if (!residual.defined()) {
        continue;
      }
      one.begin = block.begin;
      one.rows = block.rows;
      rows->push_back(std::move(one));
    }
    return !residual.defined() || ReadableAs(y.scalar_type(), residual);
  }

  // u beside a [rank, in], or beside b [out, rank].
  static LowRankRows DownRows(const at::Tensor& a, const at::Tensor& u, const Dropout& dropout) {
    LowRankRows rows;
    rows.w = a;
    rows.w_rank = a.stride(0);
    rows.u = u;
    rows.dropout = dropout;
    return rows;
  }
  static LowRankRows UpRows(const at::Tensor& b, const at::Tensor& u, float scale) {
    LowRankRows rows;
    rows.w = b;
    rows.w_rank = 1;
    rows.w_other = b.stride(0);
    rows.u = u;
    rows.scale = scale;
    return rows;
  }
  static LowRankRows Whole(const at::Tensor& x, LowRankRows rows) {
    rows.rows = x.size(0);
    return rows;
  }
  static LowRankRows RowsOf(const AdapterRows& block, LowRankRows rows) {
    rows.begin = block.begin;
    rows.rows = block.rows;
    return rows;
  }

  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<Kernels> reference_;
  DeviceBuffers buffers_;
  FrozenProducts products_;
  LowRankTables low_rank_;
  PackedAttention attention_;
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
      if (!(difference <= LargestAllowed(kernel, type))) {
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
                                         const c10::Device& device, std::string* said,
                                         int64_t tile_elements) {
  auto kernels =
      std::make_unique<CudaKernels>(std::move(launcher), MakeAtenKernels(), device, tile_elements);
  const FullFloat32Products full;  // as exact as what they are compared with
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
