// One GGUF file as a ModelSource.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/formats/gguf_file.h"
#include "model/model_source.h"

namespace scm::model {

absl::StatusOr<std::unique_ptr<ModelSource>> MakeGgufModel(std::unique_ptr<GgufFile> file);

}  // namespace scm::model
