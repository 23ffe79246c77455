#include "trainer/compute/cuda/product_precision.h"

#include <ATen/Context.h>

namespace scm::trainer {
namespace {

void UseTf32(bool use) { at::globalContext().setFloat32MatmulPrecision(use ? "high" : "highest"); }

}  // namespace

absl::Status SetProductPrecision(Precision precision, const c10::Device& device) {
  if (device.is_cpu()) {
    if (precision != Precision::kTf32) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "training.precision: tf32 is how GPUs multiply fp32, and this run is on a CPU: use fp32, "
        "or "
        "set resources.gpus");
  }
  UseTf32(precision == Precision::kTf32);
  // Parts of a sum are added in fp32, too.
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
  return absl::OkStatus();
}

FullFloat32Products::FullFloat32Products()
    : tf32_(at::globalContext().float32MatmulPrecision() != at::Float32MatmulPrecision::HIGHEST) {
  UseTf32(false);
}

FullFloat32Products::~FullFloat32Products() { UseTf32(tf32_); }

}  // namespace scm::trainer
