#include "model/formats/gguf_kind.h"

#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace scm::model {
namespace {

absl::Status RefuseKind(const GgufFile& file, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", problem));
}

struct Part {
  int64_t number = 1, count = 1;
};

// "…-00002-of-00003.gguf", as the tools that split models write it.
Part PartByName(absl::string_view path) {
  constexpr size_t kDigits = 5, kSuffix = 2 * kDigits + 5;  // "-00002-of-00003"
  Part part;
  if (!absl::ConsumeSuffix(&path, ".gguf") || path.size() < kSuffix) return part;
  const absl::string_view suffix = path.substr(path.size() - kSuffix);
  const absl::string_view number = suffix.substr(1, kDigits), count = suffix.substr(10);
  if (suffix[0] != '-' || suffix.substr(6, 4) != "-of-") return part;
  for (const char c : absl::StrCat(number, count)) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return part;
  }
  const bool read = absl::SimpleAtoi(number, &part.number) && absl::SimpleAtoi(count, &part.count);
  return read ? part : Part();
}

}  // namespace

absl::Status CheckWholeModel(const GgufFile& file) {
  SCM_ASSIGN_OR_RETURN(const std::string type, file.String("general.type", "model"));
  if (type == "adapter") {
    return RefuseKind(
        file,
        "is an adapter (general.type), not a model; give the base model, or a file into "
        "which the adapter was merged");
  }
  if (type != "model") {
    return RefuseKind(file, absl::StrCat("general.type is \"", absl::Utf8SafeCHexEscape(type),
                                         "\", expected a model"));
  }
  Part part = PartByName(file.path());
  SCM_ASSIGN_OR_RETURN(part.count, file.Integer("split.count", part.count));
  SCM_ASSIGN_OR_RETURN(const int64_t number, file.Integer("split.no", part.number - 1));
  if (part.count <= 1) return absl::OkStatus();
  return RefuseKind(file, absl::StrCat("is part ", number + 1, " of ", part.count,
                                       " of a split model; join the parts into one file "
                                       "(llama-gguf-split --merge FIRST-PART OUT.gguf)"));
}

}  // namespace scm::model
