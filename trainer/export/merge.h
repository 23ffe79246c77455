// Base model + adapter as one model on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace scm::trainer {

// Writes the Hugging Face directory `out_dir` anew: the model at `model_path` with the adapter of
// `adapter_dir` merged into its weights. `go_on` is asked after every tensor with the number
// written so far; false ends with CANCELLED. INVALID_ARGUMENT when the adapter does not fit the
// model.
absl::Status WriteMergedModel(const std::string& model_path, const std::string& adapter_dir,
                              const std::string& out_dir,
                              const std::function<bool(int64_t)>& go_on);

}  // namespace scm::trainer
