// What a GGUF file is, by its metadata and name: only whole models can be used. Pure.
#pragma once

#include "absl/status/status.h"
#include "model/formats/gguf_file.h"

namespace scm::model {

// INVALID_ARGUMENT that says so for an adapter, another non-model, or one part of a split model.
// Looks at the metadata alone, so that these are not called damaged models.
absl::Status CheckWholeModel(const GgufFile& file);

}  // namespace scm::model
