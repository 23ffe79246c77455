// Reader of one safetensors file: u64 little-endian header length, JSON header, data. Everything in
// the header is checked against the size of the file before any of it is used. The format's own
// rules hold (tensors fill the data without holes or overlap), and doubled names are refused.
// Immutable; may be read from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/mapped_file.h"
#include "model/model_source.h"

namespace scm::model {

// The types that scm reads or writes; a file with another one is refused by the type's name.
enum class SafetensorsType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };
const char* SafetensorsTypeName(SafetensorsType type);  // "F32"
int64_t SafetensorsTypeBytes(SafetensorsType type);
// The type as a model's weight type; nullopt for those that no model's weights have.
std::optional<DType> WeightType(SafetensorsType type);

struct SafetensorsEntry {
  std::string name;
  SafetensorsType type;
  std::vector<int64_t> shape;
  uint64_t offset;  // from the beginning of the file
  uint64_t bytes;
};

class SafetensorsFile {
 public:
  // INVALID_ARGUMENT with the path, the tensor and what was expected.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  // The same checks on bytes in memory, which must outlive the object (for tests and fuzzing).
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Parse(absl::string_view bytes,
                                                                const std::string& what);

  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in data order
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // NOT_FOUND names tensor and file.
  absl::StatusOr<const SafetensorsEntry*> Find(const std::string& name) const;
  absl::string_view Data(const SafetensorsEntry& entry) const;
  // Converts F32, F16 or BF16 to fp32; INVALID_ARGUMENT for other types.
  absl::Status ReadFloat32(const SafetensorsEntry& entry, float* out) const;
  const std::string& path() const { return path_; }

 private:
  SafetensorsFile() = default;
  absl::Status ParseHeader();

  std::string path_;
  std::unique_ptr<MappedFile> file_;  // null for Parse
  absl::string_view bytes_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, size_t> by_name_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace scm::model
