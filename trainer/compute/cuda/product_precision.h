// How torch multiplies matrices on a GPU: settings of the process. One thread.
#pragma once

#include <c10/core/Device.h>

#include "absl/status/status.h"
#include "trainer/compute/precision.h"

namespace scm::trainer {

// Products of fp32 as `precision` has them. A CPU's stay as they are: tf32 on one is
// INVALID_ARGUMENT.
absl::Status SetProductPrecision(Precision precision, const c10::Device& device);

// Products of fp32 are full ones while it lives.
class FullFloat32Products {
 public:
  FullFloat32Products();
  ~FullFloat32Products();
  FullFloat32Products(const FullFloat32Products&) = delete;
  FullFloat32Products& operator=(const FullFloat32Products&) = delete;

 private:
  bool tf32_;
};

}  // namespace scm::trainer
