// The type of the base and of activations, and how fp32 is multiplied. Free of libtorch.
#pragma once

#include "absl/strings/string_view.h"

namespace scm::trainer {

// kTf32: fp32 whose matrix products a GPU makes of factors with ten bits of mantissa.
enum class Precision { kFloat32, kBFloat16, kTf32 };
// training.precision: "fp32", "bf16" or "tf32".
inline Precision PrecisionByName(absl::string_view name) {
  if (name == "tf32") return Precision::kTf32;
  return name == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
}

}  // namespace scm::trainer
