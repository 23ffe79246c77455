// A Hugging Face model directory as a ModelSource.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/model_source.h"

namespace scm::model {

// Reads config.json and the headers of the weights (hf_weights.h).
absl::StatusOr<std::unique_ptr<ModelSource>> OpenHuggingFaceModel(const std::string& directory);

}  // namespace scm::model
