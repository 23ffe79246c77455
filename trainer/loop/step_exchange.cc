#include "trainer/loop/step_exchange.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"

namespace scm::trainer {

absl::Status StepExchange::Sum(const at::Tensor& gradients, const at::Tensor& loss, int64_t* labels,
                               const Stop& heard) {
  if (gang_->alone()) return absl::OkStatus();
  at::Tensor host = gradients.to(at::kCPU);
  const std::span<float> values(host.mutable_data_ptr<float>(), static_cast<size_t>(host.numel()));
  double small[] = {loss.item<double>(), static_cast<double>(*labels), heard.asked ? 1.0 : 0.0,
                    heard.checkpoint ? 1.0 : 0.0};
  own_finite_ = std::isfinite(small[0]) &&
                std::all_of(values.begin(), values.end(), [](float g) { return std::isfinite(g); });
  SCM_RETURN_IF_ERROR(gang_->Sum(values));
  SCM_RETURN_IF_ERROR(gang_->Sum(std::span<double>(small)));
  if (!host.is_same(gradients)) gradients.copy_(host);
  loss.fill_(small[0]);
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
