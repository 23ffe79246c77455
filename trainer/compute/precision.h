// The type of the base and of activations. Free of libtorch.
#pragma once

#include "absl/strings/string_view.h"

namespace scm::trainer {

enum class Precision { kFloat32, kBFloat16 };
// training.precision, "fp32" or "bf16".
inline Precision PrecisionByName(absl::string_view name) {
  return name == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
}

}  // namespace scm::trainer
