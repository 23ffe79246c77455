#include "trainer/loop/step_exchange.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"

namespace scm::trainer {
namespace {

at::Tensor ViewOf(std::vector<float>& flat, int64_t at, const at::Tensor& like) {
  return at::from_blob(flat.data() + at, like.sizes());
}

}  // namespace

absl::Status StepExchange::Sum(std::vector<AdamW::Slot>& slots, double* loss, int64_t* labels,
                               const Stop& heard) {
  if (gang_->alone()) return absl::OkStatus();
  int64_t size = 0;
  for (const AdamW::Slot& slot : slots) size += slot.gradient->numel();
  gradients_.resize(static_cast<size_t>(size));
  int64_t at = 0;
  for (const AdamW::Slot& slot : slots) {
    ViewOf(gradients_, at, *slot.gradient).copy_(*slot.gradient);
    at += slot.gradient->numel();
  }
  own_finite_ = std::isfinite(*loss) && std::all_of(gradients_.begin(), gradients_.end(),
                                                    [](float g) { return std::isfinite(g); });
  double small[] = {*loss, static_cast<double>(*labels), heard.asked ? 1.0 : 0.0,
                    heard.checkpoint ? 1.0 : 0.0};
  SCM_RETURN_IF_ERROR(gang_->Sum(std::span<float>(gradients_)));
  SCM_RETURN_IF_ERROR(gang_->Sum(std::span<double>(small)));
  at = 0;
  for (AdamW::Slot& slot : slots) {
    slot.gradient->copy_(ViewOf(gradients_, at, *slot.gradient));
    at += slot.gradient->numel();
  }
  *loss = small[0];
  *labels = static_cast<int64_t>(small[1]);
  stop_ = {small[2] > 0, small[3] > 0};
  return absl::OkStatus();
}

absl::StatusOr<StepExchange::Stop> StepExchange::Agree(const Stop& heard) {
  double orders[] = {heard.asked ? 1.0 : 0.0, heard.checkpoint ? 1.0 : 0.0};
  SCM_RETURN_IF_ERROR(gang_->Sum(std::span<double>(orders)));
  return Stop{orders[0] > 0, orders[1] > 0};
}

}  // namespace scm::trainer
