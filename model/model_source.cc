#include "model/model_source.h"

#include "absl/strings/str_cat.h"

namespace scm::model {

absl::StatusOr<ChatTemplate> ModelSource::MakeChatTemplate() const {
  return absl::NotFoundError(absl::StrCat(
      path(), " holds no chat template, by which conversations (messages) would be ", "rendered"));
}

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

}  // namespace scm::model
