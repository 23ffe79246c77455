// fp32 tensors of libtorch to and from safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/formats/safetensors.h"

namespace scm::trainer {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Writes `tensors` (fp32, any device) to `path`, durably.
absl::Status WriteTensors(const std::string& path, const NamedTensors& tensors);

// Reads tensor `name` into `tensor`, which fixes the shape. INVALID_ARGUMENT or NOT_FOUND name it.
absl::Status ReadTensor(const model::SafetensorsFile& file, const std::string& name,
                        at::Tensor* tensor);

}  // namespace scm::trainer
