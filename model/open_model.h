// Opens a model on disk, whichever of the known formats it has. Free of libtorch; any thread.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/model_source.h"

namespace scm::model {

// INVALID_ARGUMENT with file, tensor or key, what was expected and what to do. Every tensor the
// configuration needs must exist with the right shape; types other than F32, F16, BF16, Q8_0, Q4_1
// are refused by name. Never crashes on a hostile file.
absl::StatusOr<std::unique_ptr<ModelSource>> OpenModel(const std::string& path);

}  // namespace scm::model
