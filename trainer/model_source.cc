#include "trainer/model_source.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "trainer/formats/gguf_file.h"
#include "trainer/formats/gguf_model.h"
#include "trainer/formats/hf_model.h"

namespace scm::model {

const char* DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kQ8_0:
      return "Q8_0";
    case DType::kQ4_1:
      return "Q4_1";
  }
  return "?";
}

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
