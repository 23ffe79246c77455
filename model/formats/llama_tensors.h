// Which tensors a Llama-architecture model consists of. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/llama_config.h"
#include "model/model_source.h"

namespace scm::model {

struct NeededTensor {
  std::string name;  // Hugging Face name
  std::vector<int64_t> shape;
};

// INVALID_ARGUMENT naming the field when the numbers contradict each other or are out of every
// reasonable range (so that products of them cannot overflow). `what` names the file.
absl::Status CheckConfig(const LlamaConfig& config, absl::string_view what);

// lm_head.weight is needed only without tied embeddings. `config` has passed CheckConfig.
std::vector<NeededTensor> NeededTensors(const LlamaConfig& config);

// Every needed tensor is in `tensors` with its shape, and nothing else is, but for what
// IgnoredTensor accepts. `what` names the file or directory.
absl::Status CheckTensors(const LlamaConfig& config, const std::vector<TensorInfo>& tensors,
                          absl::string_view what);

// Buffers that some exports carry and that follow from the configuration.
bool IgnoredTensor(absl::string_view name, const LlamaConfig& config);

// Product of the dimensions, −1 on overflow or a negative dimension.
int64_t ElementCount(const std::vector<int64_t>& shape);
// "[576, 1536]"
std::string ShapeText(const std::vector<int64_t>& shape);

}  // namespace scm::model
