// A Hugging Face model directory as a ModelSource.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/model_source.h"

namespace scm {

// Reads config.json and the headers of model.safetensors, or of the shards that
// model.safetensors.index.json names (file names only: one that leads elsewhere is refused).
absl::StatusOr<std::unique_ptr<ModelSource>> OpenHuggingFaceModel(const std::string& directory);

}  // namespace scm
