// Reader of one GGUF file (versions 2 and 3, little-endian): metadata and the tensor table. Every
// count, length and offset is checked against the file before it is used; nothing in the file can
// make it read outside or allocate more than the file's own size suggests. Tensor types that scm
// cannot dequantise are refused by name. Immutable; may be read from any thread.
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

// Numbers as in the file.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};

struct GgufValue {
  GgufType type = GgufType::kUint8;
  absl::string_view raw;  // the scalar's bytes, or the string's text
  // Arrays only. Elements of a fixed size lie in `raw`; strings are listed; arrays of arrays are
  // checked and skipped, so they have neither.
  GgufType element = GgufType::kUint8;
  uint64_t count = 0;
  std::vector<absl::string_view> strings;
};

struct GgufTensor {
  std::string name;  // GGUF name ("blk.0.attn_q.weight")
  DType dtype;
  std::vector<int64_t> shape;  // outermost first: the file's order turned round
  uint64_t offset;             // from the beginning of the file
  uint64_t bytes;
};

class GgufFile {
 public:
  static absl::StatusOr<std::unique_ptr<GgufFile>> Open(const std::string& path);
  // The same checks on bytes in memory, which must outlive the object.
  static absl::StatusOr<std::unique_ptr<GgufFile>> Parse(absl::string_view bytes,
                                                         const std::string& what);

  const std::vector<GgufTensor>& tensors() const { return tensors_; }  // in file order
  absl::string_view Data(const GgufTensor& tensor) const {
    return bytes_.substr(tensor.offset, tensor.bytes);
  }
  void Release(const GgufTensor& tensor) const {
    if (file_ != nullptr) file_->Release(tensor.offset, tensor.bytes);
  }

  bool Has(absl::string_view key) const;
  // A key that is absent gives `otherwise`, or INVALID_ARGUMENT naming the key when there is none.
  // A value of another type is INVALID_ARGUMENT.
  absl::StatusOr<int64_t> Integer(absl::string_view key,
                                  std::optional<int64_t> otherwise = std::nullopt) const;
  absl::StatusOr<double> Number(absl::string_view key,
                                std::optional<double> otherwise = std::nullopt) const;
  absl::StatusOr<bool> Bool(absl::string_view key, bool otherwise) const;
  absl::StatusOr<std::string> String(absl::string_view key,
                                     std::optional<std::string> otherwise = std::nullopt) const;
  absl::StatusOr<std::vector<absl::string_view>> Strings(absl::string_view key) const;
  absl::StatusOr<std::vector<int64_t>> Integers(absl::string_view key) const;

  const std::string& path() const { return path_; }

 private:
  friend class GgufParser;
  GgufFile() = default;
  absl::StatusOr<const GgufValue*> Find(absl::string_view key) const;
  absl::Status WrongType(absl::string_view key, absl::string_view expected) const;

  std::string path_;
  std::unique_ptr<MappedFile> file_;  // null for Parse
  absl::string_view bytes_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::vector<GgufTensor> tensors_;
};

}  // namespace scm::model
