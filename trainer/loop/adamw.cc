#include "trainer/loop/adamw.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

namespace scm::trainer {
namespace {

void StepOnCpu(const AdamWStep& n, float gradient_scale, const AdamW::Slot& slot) {
  float* const parameter = slot.parameter->data_ptr<float>();
  const float* const gradient = slot.gradient->const_data_ptr<float>();
  float* const m = slot.exp_avg.data_ptr<float>();
  float* const v = slot.exp_avg_sq.data_ptr<float>();
  const int64_t size = slot.parameter->numel();
  for (int64_t i = 0; i < size; ++i) {
    const float g = gradient[i] * gradient_scale;
    m[i] += (g - m[i]) * n.rest1;
    v[i] = v[i] * n.beta2 + g * g * n.rest2;
    const float denominator = std::sqrt(v[i]) * n.inverse_root + n.epsilon;
    parameter[i] = parameter[i] * n.decay - n.step_size * (m[i] / denominator);
  }
}

void StepOnDevice(const AdamWStep& n, float gradient_scale, AdamW::Slot& slot) {
  const at::Tensor g = at::mul(*slot.gradient, gradient_scale);
  slot.exp_avg.lerp_(g, n.rest1);
  slot.exp_avg_sq.mul_(n.beta2).addcmul_(g, g, n.rest2);
  const at::Tensor denominator = slot.exp_avg_sq.sqrt().mul_(n.inverse_root).add_(n.epsilon);
  slot.parameter->mul_(n.decay).addcdiv_(slot.exp_avg, denominator, -n.step_size);
}

at::Tensor MomentOf(const at::Tensor* flat, const at::Tensor& parameter) {
  if (flat == nullptr) return at::zeros_like(parameter);
  return flat->narrow(0, parameter.storage_offset(), parameter.numel()).view(parameter.sizes());
}

}  // namespace

AdamW::AdamW(std::vector<AdapterPair>& adapters, const AdamWConfig& config, const Moments* moments)
    : config_(config) {
  const at::Tensor* const first = moments == nullptr ? nullptr : &moments->exp_avg;
  const at::Tensor* const second = moments == nullptr ? nullptr : &moments->exp_avg_sq;
  slots_.reserve(adapters.size() * 2);
  for (AdapterPair& pair : adapters) {
    slots_.push_back({&pair.a, &pair.grad_a, MomentOf(first, pair.a), MomentOf(second, pair.a)});
    slots_.push_back({&pair.b, &pair.grad_b, MomentOf(first, pair.b), MomentOf(second, pair.b)});
  }
}

AdamWStep AdamW::Next(double learning_rate) const {
  const double t = static_cast<double>(updates_ + 1);
  const double correction1 = 1 - std::pow(config_.beta1, t);
  const double correction2 = 1 - std::pow(config_.beta2, t);
  return {static_cast<float>(1 - config_.beta1),
          static_cast<float>(config_.beta2),
          static_cast<float>(1 - config_.beta2),
          static_cast<float>(config_.epsilon),
          static_cast<float>(1 - learning_rate * config_.weight_decay),
          static_cast<float>(learning_rate / correction1),
          static_cast<float>(1 / std::sqrt(correction2))};
}

void AdamW::Step(double learning_rate, double gradient_scale) {
  const AdamWStep numbers = Next(learning_rate);
  const float scale = static_cast<float>(gradient_scale);
  for (Slot& slot : slots_) {
    if (slot.parameter->device().is_cpu()) {
      StepOnCpu(numbers, scale, slot);
    } else {
      StepOnDevice(numbers, scale, slot);
    }
  }
  Updated();
}

double GradientNorm(const std::vector<AdamW::Slot>& slots) {
  double sum = 0;
  for (const AdamW::Slot& slot : slots) {
    if (!slot.gradient->device().is_cpu()) {
      sum += std::pow(slot.gradient->norm().item<double>(), 2);
      continue;
    }
    const float* const gradient = slot.gradient->const_data_ptr<float>();
    double squares = 0;
    for (int64_t i = 0; i < slot.gradient->numel(); ++i) {
      squares += static_cast<double>(gradient[i]) * gradient[i];
    }
    sum += squares;
  }
  return std::sqrt(sum);
}

double ClipScale(double norm, double max_norm) {
  if (max_norm <= 0) return 1;
  return std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace scm::trainer
