#include "model/formats/gguf_file.h"

#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "model/formats/gguf_parser.h"

namespace scm::model {
namespace {

template <typename T>
T Load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The integer at `at`; nullopt when the type is no integer or the value exceeds int64.
std::optional<int64_t> LoadInteger(GgufType type, const char* at) {
  switch (type) {
    case GgufType::kUint8:
      return Load<uint8_t>(at);
    case GgufType::kInt8:
      return Load<int8_t>(at);
    case GgufType::kUint16:
      return Load<uint16_t>(at);
    case GgufType::kInt16:
      return Load<int16_t>(at);
    case GgufType::kUint32:
      return Load<uint32_t>(at);
    case GgufType::kInt32:
      return Load<int32_t>(at);
    case GgufType::kInt64:
      return Load<int64_t>(at);
    case GgufType::kUint64: {
      const auto value = Load<uint64_t>(at);
      if (value > INT64_MAX) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    case GgufType::kFloat32:
    case GgufType::kFloat64:
    case GgufType::kBool:
    case GgufType::kString:
    case GgufType::kArray:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GgufFile>> GgufFile::Open(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> parsed, Parse(file->bytes(), path));
  parsed->file_ = std::move(file);
  return parsed;
}

absl::StatusOr<std::unique_ptr<GgufFile>> GgufFile::Parse(absl::string_view bytes,
                                                          const std::string& what) {
  std::unique_ptr<GgufFile> file(new GgufFile);
  file->path_ = what;
  file->bytes_ = bytes;
  SCM_RETURN_IF_ERROR(GgufParser(*file).Run());
  return file;
}

bool GgufFile::Has(absl::string_view key) const {
  return metadata_.find(std::string(key)) != metadata_.end();
}

absl::StatusOr<const GgufValue*> GgufFile::Find(absl::string_view key) const {
  const auto it = metadata_.find(std::string(key));
  if (it != metadata_.end()) return &it->second;
  return absl::InvalidArgumentError(absl::StrCat(path_, ": metadata \"", key, "\" is missing"));
}

absl::Status GgufFile::WrongType(absl::string_view key, absl::string_view expected) const {
  return absl::InvalidArgumentError(
      absl::StrCat(path_, ": metadata \"", key, "\" has another type than ", expected));
}

absl::StatusOr<int64_t> GgufFile::Integer(absl::string_view key,
                                          std::optional<int64_t> otherwise) const {
  if (otherwise && !Has(key)) return *otherwise;
  SCM_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  const std::optional<int64_t> integer = LoadInteger(value->type, value->raw.data());
  if (!integer) return WrongType(key, "an integer");
  return *integer;
}

absl::StatusOr<double> GgufFile::Number(absl::string_view key,
                                        std::optional<double> otherwise) const {
  if (otherwise && !Has(key)) return *otherwise;
  SCM_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  if (value->type == GgufType::kFloat32) return Load<float>(value->raw.data());
  if (value->type == GgufType::kFloat64) return Load<double>(value->raw.data());
  const std::optional<int64_t> integer = LoadInteger(value->type, value->raw.data());
  if (!integer) return WrongType(key, "a number");
  return static_cast<double>(*integer);
}

absl::StatusOr<bool> GgufFile::Bool(absl::string_view key, bool otherwise) const {
  if (!Has(key)) return otherwise;
  SCM_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  if (value->type != GgufType::kBool) return WrongType(key, "a boolean");
  return value->raw[0] != 0;
}

absl::StatusOr<std::string> GgufFile::String(absl::string_view key,
                                             std::optional<std::string> otherwise) const {
  if (otherwise && !Has(key)) return *otherwise;
  SCM_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  if (value->type != GgufType::kString) return WrongType(key, "a string");
  return std::string(value->raw);
}

absl::StatusOr<std::vector<absl::string_view>> GgufFile::Strings(absl::string_view key) const {
  SCM_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  if (value->type != GgufType::kArray || value->element != GgufType::kString) {
    return WrongType(key, "a list of strings");
  }
  return value->strings;
}

absl::StatusOr<std::vector<int64_t>> GgufFile::Integers(absl::string_view key) const {
  SCM_ASSIGN_OR_RETURN(const GgufValue* value, Find(key));
  const uint64_t each = GgufScalarBytes(value->element);
  if (value->type != GgufType::kArray || each == 0) return WrongType(key, "a list of integers");
  std::vector<int64_t> integers;
  integers.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const std::optional<int64_t> one = LoadInteger(value->element, value->raw.data() + i * each);
    if (!one) return WrongType(key, "a list of integers");
    integers.push_back(*one);
  }
  return integers;
}

}  // namespace scm::model
