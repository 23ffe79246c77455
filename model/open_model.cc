#include "model/open_model.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "model/formats/gguf_file.h"
#include "model/formats/gguf_model.h"
#include "model/formats/hf_model.h"

namespace scm::model {

absl::StatusOr<std::unique_ptr<ModelSource>> OpenModel(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return absl::NotFoundError(absl::StrCat(
        path, " does not exist: expected a Hugging Face model directory or a .gguf file"));
  }
  if (std::filesystem::is_directory(status)) return OpenHuggingFaceModel(path);
  if (absl::EndsWith(path, ".safetensors") || absl::EndsWith(path, ".json")) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": give the model's directory, not a file in it (only .gguf files stand alone)"));
  }
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> file, GgufFile::Open(path));
  return MakeGgufModel(std::move(file));
}

}  // namespace scm::model
