#include "model/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/formats/dequantise.h"
#include "model/formats/llama_tensors.h"

namespace scm::model {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit
constexpr size_t kMaxDimensions = 8;

struct TypeRow {
  SafetensorsType type;
  const char* name;
  int64_t bytes;
};
constexpr TypeRow kTypes[] = {
    {SafetensorsType::kF64, "F64", 8}, {SafetensorsType::kF32, "F32", 4},
    {SafetensorsType::kF16, "F16", 2}, {SafetensorsType::kBF16, "BF16", 2},
    {SafetensorsType::kI64, "I64", 8}, {SafetensorsType::kI32, "I32", 4},
    {SafetensorsType::kI16, "I16", 2}, {SafetensorsType::kI8, "I8", 1},
    {SafetensorsType::kU8, "U8", 1},   {SafetensorsType::kBool, "BOOL", 1},
};

absl::Status RefuseFile(absl::string_view path, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", problem));
}

absl::Status RefuseTensor(absl::string_view path, absl::string_view name,
                          absl::string_view problem) {
  return RefuseFile(path, absl::StrCat("tensor \"", name, "\": ", problem));
}

// A non-negative integer that fits int64, or −1.
int64_t Size(const SortedJson& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    return number <= INT64_MAX ? static_cast<int64_t>(number) : -1;
  }
  return -1;
}

absl::StatusOr<SafetensorsEntry> ParseEntry(absl::string_view path, const std::string& name,
                                            const SortedJson& value, uint64_t data_begin,
                                            uint64_t data_size) {
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    return RefuseTensor(path, name, "expected {\"dtype\", \"shape\", \"data_offsets\"}");
  }
  const SortedJson &dtype = value["dtype"], &shape = value["shape"];
  const SortedJson& offsets = value["data_offsets"];
  const TypeRow* row = nullptr;
  for (const TypeRow& candidate : kTypes) {
    if (dtype.is_string() && dtype.get_ref<const std::string&>() == candidate.name) {
      row = &candidate;
    }
  }
  if (row == nullptr) {
    return RefuseTensor(path, name, absl::StrCat("type ", DumpJson(dtype), " is not supported"));
  }
  SafetensorsEntry entry{name, row->type, {}, 0, 0};
  if (!shape.is_array() || shape.size() > kMaxDimensions) {
    return RefuseTensor(path, name,
                        absl::StrCat("shape must be a list of at most ", kMaxDimensions, " sizes"));
  }
  for (const SortedJson& dimension : shape) {
    if (Size(dimension) < 0) {
      return RefuseTensor(
          path, name,
          absl::StrCat("shape holds ", DumpJson(dimension), ", expected a non-negative integer"));
    }
    entry.shape.push_back(Size(dimension));
  }
  if (!offsets.is_array() || offsets.size() != 2 || Size(offsets[0]) < 0 || Size(offsets[1]) < 0) {
    return RefuseTensor(path, name, "data_offsets must be two non-negative integers");
  }
  const auto begin = static_cast<uint64_t>(Size(offsets[0]));
  const auto end = static_cast<uint64_t>(Size(offsets[1]));
  if (begin > end || end > data_size) {
    return RefuseTensor(
        path, name,
        absl::StrCat("data_offsets [", begin, ", ", end, "] lie outside the ", data_size,
                     " bytes of data that the file has; it may be cut "
                     "off: download or copy it again"));
  }
  int64_t bytes = ElementCount(entry.shape);
  if (bytes < 0 || __builtin_mul_overflow(bytes, row->bytes, &bytes)) {
    return RefuseTensor(path, name, absl::StrCat("shape ", ShapeText(entry.shape), " overflows"));
  }
  if (static_cast<uint64_t>(bytes) != end - begin) {
    return RefuseTensor(path, name,
                        absl::StrCat(row->name, " ", ShapeText(entry.shape), " needs ", bytes,
                                     " bytes, but data_offsets span ", end - begin));
  }
  entry.offset = data_begin + begin;
  entry.bytes = end - begin;
  return entry;
}

}  // namespace

const char* SafetensorsTypeName(SafetensorsType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return "?";
}

int64_t SafetensorsTypeBytes(SafetensorsType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.bytes;
  }
  return 0;
}

std::optional<DType> WeightType(SafetensorsType type) {
  if (type == SafetensorsType::kF32) return DType::kF32;
  if (type == SafetensorsType::kF16) return DType::kF16;
  if (type == SafetensorsType::kBF16) return DType::kBF16;
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsFile> parsed, Parse(file->bytes(), path));
  parsed->file_ = std::move(file);
  return parsed;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Parse(absl::string_view bytes,
                                                                        const std::string& what) {
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path_ = what;
  file->bytes_ = bytes;
  SCM_RETURN_IF_ERROR(file->ParseHeader());
  return file;
}

absl::Status SafetensorsFile::ParseHeader() {
  if (bytes_.size() < 8) {
    return RefuseFile(path_, absl::StrCat("only ", bytes_.size(),
                                          " bytes long: not a safetensors file, or cut off"));
  }
  uint64_t length;
  std::memcpy(&length, bytes_.data(), 8);
  if (length > kMaxHeader) {
    return RefuseFile(path_, absl::StrCat("header length ", length, " is over the limit of ",
                                          kMaxHeader, ": not a safetensors file"));
  }
  if (length > bytes_.size() - 8) {
    return RefuseFile(path_,
                      absl::StrCat("header of ", length, " bytes does not fit into a file of ",
                                   bytes_.size(), "; it may be cut off: copy it again"));
  }
  const absl::string_view header = bytes_.substr(8, length);
  if (header.empty() || header[0] != '{') {
    return RefuseFile(path_, "the header does not begin with '{': not a safetensors file");
  }
  SCM_ASSIGN_OR_RETURN(SortedJson json, ParseSortedJson(header, absl::StrCat(path_, " header")));
  if (!json.is_object()) return RefuseFile(path_, "the header is not a JSON object");
  const uint64_t data_begin = 8 + length, data_size = bytes_.size() - data_begin;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) return RefuseFile(path_, "__metadata__ must map strings to strings");
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) return RefuseFile(path_, "__metadata__ must map strings to strings");
        metadata_[key] = text.get<std::string>();
      }
      continue;
    }
    SCM_ASSIGN_OR_RETURN(SafetensorsEntry entry,
                         ParseEntry(path_, name, value, data_begin, data_size));
    entries_.push_back(std::move(entry));
  }
  // By end as well, so that empty tensors come before the tensor that begins where they lie.
  std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.offset + a.bytes) < std::pair(b.offset, b.offset + b.bytes);
  });
  uint64_t expected = data_begin;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].offset != expected) {
      return RefuseTensor(path_, entries_[i].name,
                          absl::StrCat("begins at data byte ", entries_[i].offset - data_begin,
                                       ", expected ", expected - data_begin,
                                       ": tensors must fill the file without holes or overlap"));
    }
    expected += entries_[i].bytes;
    by_name_[entries_[i].name] = i;
  }
  if (expected != bytes_.size()) {
    return RefuseFile(path_, absl::StrCat("the tensors end at byte ", expected,
                                          ", but the file has ", bytes_.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<const SafetensorsEntry*> SafetensorsFile::Find(const std::string& name) const {
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    return absl::NotFoundError(absl::StrCat(path_, ": there is no tensor \"", name, "\""));
  }
  return &entries_[it->second];
}

absl::string_view SafetensorsFile::Data(const SafetensorsEntry& entry) const {
  return bytes_.substr(entry.offset, entry.bytes);
}

absl::Status SafetensorsFile::ReadFloat32(const SafetensorsEntry& entry, float* out) const {
  const std::optional<DType> dtype = WeightType(entry.type);
  if (!dtype) {
    return RefuseTensor(
        path_, entry.name,
        absl::StrCat("has type ", SafetensorsTypeName(entry.type), ", expected F32, F16 or BF16"));
  }
  Dequantise(*dtype, bytes_.data() + entry.offset, ElementCount(entry.shape), out);
  if (file_ != nullptr) file_->Release(entry.offset, entry.bytes);
  return absl::OkStatus();
}

}  // namespace scm::model
