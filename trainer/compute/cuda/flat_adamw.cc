#include "trainer/compute/cuda/flat_adamw.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "trainer/compute/cuda/device_buffers.h"

namespace scm::trainer {
namespace {

constexpr int64_t kMostBlocks = 264;  // of a run: two for each processor of a large GPU

const long long* AsLongs(const at::Tensor& t) {
  return reinterpret_cast<const long long*>(t.const_data_ptr<int64_t>());
}

}  // namespace

FlatAdamW::FlatAdamW(Launcher* launcher, const std::vector<int64_t>& offsets,
                     const at::Device& device)
    : launcher_(launcher), offsets_(offsets) {
  parameters_ = at::zeros({offsets.back()}, at::TensorOptions().dtype(at::kFloat).device(device));
  gradients_ = at::zeros_like(parameters_);
  exp_avg_ = at::zeros_like(parameters_);
  exp_avg_sq_ = at::zeros_like(parameters_);
  Reserve(device);
}

FlatAdamW::FlatAdamW(Launcher* launcher, const FlatAdapters& adapters, const at::Tensor& exp_avg,
                     const at::Tensor& exp_avg_sq)
    : launcher_(launcher),
      offsets_(adapters.offsets),
      parameters_(adapters.parameters),
      gradients_(adapters.gradients),
      exp_avg_(exp_avg),
      exp_avg_sq_(exp_avg_sq) {
  Reserve(parameters_.device());
}

void FlatAdamW::Reserve(const at::Device& device) {
  const auto options = at::TensorOptions().device(device);
  const int64_t runs = static_cast<int64_t>(offsets_.size()) - 1;
  places_ = at::tensor(offsets_, at::kLong).to(device);
  partial_ = at::zeros({runs * Blocks().x}, options.dtype(at::kDouble));
  report_ = at::zeros({2, runs}, options.dtype(at::kDouble));
  squares_ = report_.select(0, 1);
  tickets_ = at::zeros({runs}, options.dtype(at::kInt));
  const int64_t bytes = runs * static_cast<int64_t>(sizeof(device::AdamWNumbers));
  numbers_ = at::empty({bytes}, options.dtype(at::kByte));
}

Grid FlatAdamW::Blocks() const {
  int64_t longest = 1;
  for (size_t i = 1; i < offsets_.size(); ++i) {
    longest = std::max(longest, offsets_[i] - offsets_[i - 1]);
  }
  const int64_t blocks = (longest + device::kThreads - 1) / device::kThreads;
  return {static_cast<unsigned>(std::min(blocks, kMostBlocks)),
          static_cast<unsigned>(offsets_.size() - 1)};
}

absl::Status FlatAdamW::QueueSquares() {
  const device::SquaresArguments a{
      gradients_.const_data_ptr<float>(), AsLongs(places_), partial_.mutable_data_ptr<double>(),
      squares_.mutable_data_ptr<double>(),
      reinterpret_cast<unsigned*>(tickets_.mutable_data_ptr<int32_t>())};
  return launcher_->Launch("scm_squares_f32", Blocks(), &a);
}

absl::Status FlatAdamW::QueueStep(const std::vector<device::AdamWNumbers>& numbers,
                                  const at::Tensor& losses) {
  if (numbers.size() + 1 != offsets_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a step of ", offsets_.size() - 1, " runs got numbers of ", numbers.size()));
  }
  at::Tensor host = StagingBytes(numbers_.numel(), numbers_.device());
  std::memcpy(host.mutable_data_ptr(), numbers.data(), static_cast<size_t>(host.numel()));
  numbers_.copy_(host, /*non_blocking=*/true);
  const device::AdamWArguments a{
      parameters_.mutable_data_ptr<float>(),
      gradients_.const_data_ptr<float>(),
      exp_avg_.mutable_data_ptr<float>(),
      exp_avg_sq_.mutable_data_ptr<float>(),
      AsLongs(places_),
      static_cast<const device::AdamWNumbers*>(numbers_.const_data_ptr()),
      squares_.const_data_ptr<double>(),
      losses.defined() ? losses.const_data_ptr<double>() : nullptr};
  return launcher_->Launch("scm_adamw_f32", Blocks(), &a);
}

const at::Tensor& FlatAdamW::Report(const at::Tensor& losses) {
  report_.select(0, 0).copy_(losses);
  return report_;
}

}  // namespace scm::trainer
