#include "trainer/loop/step_exchange.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>

#include <cmath>

#include "common/status_macros.h"

namespace scm::trainer {

absl::Status StepExchange::Sum(const at::Tensor& gradients, const at::Tensor& loss, int64_t* labels,
                               const Stop& heard) {
  if (gang_->alone()) return absl::OkStatus();
  at::Tensor values = gradients;  // summed where they lie, where the transport can
  double small[] = {loss.item<double>(), static_cast<double>(*labels), heard.asked ? 1.0 : 0.0,
                    heard.checkpoint ? 1.0 : 0.0};
  own_finite_ = std::isfinite(small[0]) && at::isfinite(values).all().item<bool>();
  SCM_RETURN_IF_ERROR(gang_->Sum(values));
  SCM_RETURN_IF_ERROR(gang_->Sum(std::span<double>(small)));
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
