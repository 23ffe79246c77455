#include "model/formats/gguf_parser.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "model/formats/dequantise.h"
#include "model/formats/gguf_kind.h"
#include "model/formats/llama_tensors.h"

namespace scm::model {
namespace {

constexpr int kMaxDepth = 4;      // of arrays in arrays
constexpr uint32_t kMaxDims = 4;  // ggml's own limit
constexpr uint64_t kMaxName = 65535;

// ggml's numbers of tensor types; those without a DType are known by name only.
struct TensorType {
  uint32_t number;
  const char* name;
  int dtype;  // −1 = not supported
};
constexpr TensorType kTensorTypes[] = {
    {0, "F32", static_cast<int>(DType::kF32)},
    {1, "F16", static_cast<int>(DType::kF16)},
    {2, "Q4_0", -1},
    {3, "Q4_1", static_cast<int>(DType::kQ4_1)},
    {6, "Q5_0", -1},
    {7, "Q5_1", -1},
    {8, "Q8_0", static_cast<int>(DType::kQ8_0)},
    {9, "Q8_1", -1},
    {10, "Q2_K", -1},
    {11, "Q3_K", -1},
    {12, "Q4_K", -1},
    {13, "Q5_K", -1},
    {14, "Q6_K", -1},
    {15, "Q8_K", -1},
    {16, "IQ2_XXS", -1},
    {17, "IQ2_XS", -1},
    {18, "IQ3_XXS", -1},
    {19, "IQ1_S", -1},
    {20, "IQ4_NL", -1},
    {21, "IQ3_S", -1},
    {22, "IQ2_S", -1},
    {23, "IQ4_XS", -1},
    {24, "I8", -1},
    {25, "I16", -1},
    {26, "I32", -1},
    {27, "I64", -1},
    {28, "F64", -1},
    {29, "IQ1_M", -1},
    {30, "BF16", static_cast<int>(DType::kBF16)},
    {34, "TQ1_0", -1},
    {35, "TQ2_0", -1},
    {39, "MXFP4", -1},
};

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(text.substr(0, 200)), "\"");
}

}  // namespace

uint64_t GgufScalarBytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

absl::Status GgufParser::Refuse(absl::string_view problem) const {
  return absl::InvalidArgumentError(absl::StrCat(file_.path_, ": ", problem));
}

absl::Status GgufParser::Take(uint64_t size, absl::string_view what, absl::string_view& out) {
  if (size > bytes_.size() - at_) {
    return Refuse(absl::StrCat("the file ends within ", what, " (at byte ", at_, ", ", size,
                               " more needed, ", bytes_.size() - at_,
                               " left); it may be cut off: download or copy it again"));
  }
  out = bytes_.substr(at_, size);
  at_ += size;
  return absl::OkStatus();
}

absl::Status GgufParser::U32(absl::string_view what, uint32_t& out) {
  absl::string_view raw;
  SCM_RETURN_IF_ERROR(Take(sizeof out, what, raw));
  std::memcpy(&out, raw.data(), sizeof out);
  return absl::OkStatus();
}

absl::Status GgufParser::U64(absl::string_view what, uint64_t& out) {
  absl::string_view raw;
  SCM_RETURN_IF_ERROR(Take(sizeof out, what, raw));
  std::memcpy(&out, raw.data(), sizeof out);
  return absl::OkStatus();
}

absl::Status GgufParser::Text(absl::string_view what, absl::string_view& out) {
  uint64_t length = 0;
  SCM_RETURN_IF_ERROR(U64(what, length));
  return Take(length, what, out);
}

absl::Status GgufParser::Header(uint64_t& tensors, uint64_t& pairs) {
  absl::string_view magic;
  SCM_RETURN_IF_ERROR(Take(4, "the magic bytes", magic));
  if (magic != "GGUF") {
    return Refuse(
        absl::StrCat("begins with ", Quoted(magic), ", expected \"GGUF\": not a GGUF file"));
  }
  uint32_t version = 0;
  SCM_RETURN_IF_ERROR(U32("the version", version));
  if (version == 0x02000000 || version == 0x03000000) {
    return Refuse("is a big-endian GGUF file, expected little-endian: convert it again");
  }
  if (version != 2 && version != 3) {
    return Refuse(absl::StrCat("GGUF version ", version, " is not supported, expected 2 or 3"));
  }
  SCM_RETURN_IF_ERROR(U64("the number of tensors", tensors));
  SCM_RETURN_IF_ERROR(U64("the number of metadata entries", pairs));
  // The smallest tensor entry has 24 bytes, the smallest metadata entry 13.
  const uint64_t left = bytes_.size() - at_;
  if (tensors > left / 24 || pairs > left / 13) {
    return Refuse(absl::StrCat("announces ", tensors, " tensors and ", pairs,
                               " metadata entries, more than a file of ", bytes_.size(),
                               " bytes holds; it may be cut off or damaged"));
  }
  return absl::OkStatus();
}

absl::Status GgufParser::Array(const std::string& key, int depth, GgufValue& value) {
  uint32_t element = 0;
  SCM_RETURN_IF_ERROR(U32(key, element));
  SCM_RETURN_IF_ERROR(U64(key, value.count));
  value.element = static_cast<GgufType>(element);
  const uint64_t left = bytes_.size() - at_;
  if (value.element == GgufType::kString) {
    if (value.count > left / 8) {
      return Refuse(absl::StrCat(key, ": ", value.count, " strings do not fit into the file"));
    }
    value.strings.resize(value.count);
    for (absl::string_view& text : value.strings) SCM_RETURN_IF_ERROR(Text(key, text));
    return absl::OkStatus();
  }
  if (value.element == GgufType::kArray) {
    if (depth >= kMaxDepth) return Refuse(absl::StrCat(key, ": arrays are nested too deeply"));
    if (value.count > left / 12) {
      return Refuse(absl::StrCat(key, ": ", value.count, " arrays do not fit into the file"));
    }
    for (uint64_t i = 0; i < value.count; ++i) {
      GgufValue skipped;
      SCM_RETURN_IF_ERROR(Array(key, depth + 1, skipped));
    }
    return absl::OkStatus();
  }
  const uint64_t each = GgufScalarBytes(value.element);
  if (each == 0) return Refuse(absl::StrCat(key, ": unknown value type ", element));
  if (value.count > left / each) {
    return Refuse(absl::StrCat(key, ": ", value.count, " values do not fit into the file"));
  }
  return Take(value.count * each, key, value.raw);
}

absl::Status GgufParser::Value(const std::string& key, int depth, GgufValue& value) {
  uint32_t type = 0;
  SCM_RETURN_IF_ERROR(U32(key, type));
  value.type = static_cast<GgufType>(type);
  if (value.type == GgufType::kString) return Text(key, value.raw);
  if (value.type == GgufType::kArray) return Array(key, depth, value);
  const uint64_t size = GgufScalarBytes(value.type);
  if (size == 0) return Refuse(absl::StrCat(key, ": unknown value type ", type));
  return Take(size, key, value.raw);
}

absl::Status GgufParser::Metadata(uint64_t pairs) {
  for (uint64_t i = 0; i < pairs; ++i) {
    absl::string_view key;
    SCM_RETURN_IF_ERROR(Text(absl::StrCat("the key of metadata entry ", i), key));
    if (key.empty() || key.size() > kMaxName) {
      return Refuse(absl::StrCat("metadata entry ", i, ": a key of ", key.size(),
                                 " bytes, expected 1 to ", kMaxName));
    }
    GgufValue value;
    SCM_RETURN_IF_ERROR(Value(absl::StrCat("metadata ", Quoted(key)), 0, value));
    if (!file_.metadata_.emplace(std::string(key), std::move(value)).second) {
      return Refuse(absl::StrCat("metadata ", Quoted(key), " is there twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status GgufParser::Tensor(GgufTensor& tensor) {
  absl::string_view name;
  SCM_RETURN_IF_ERROR(Text("a tensor's name", name));
  if (name.empty() || name.size() > kMaxName) {
    return Refuse(absl::StrCat("a tensor's name has ", name.size(), " bytes"));
  }
  tensor.name = std::string(name);
  const std::string what = absl::StrCat("tensor ", Quoted(name));
  uint32_t dims = 0, number = 0;
  SCM_RETURN_IF_ERROR(U32(what, dims));
  if (dims == 0 || dims > kMaxDims) {
    return Refuse(absl::StrCat(what, ": ", dims, " dimensions, expected 1 to ", kMaxDims));
  }
  for (uint32_t i = 0; i < dims; ++i) {
    uint64_t size = 0;
    SCM_RETURN_IF_ERROR(U64(what, size));
    if (size > INT64_MAX) return Refuse(absl::StrCat(what, ": dimension ", size, " is too large"));
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));
  }
  SCM_RETURN_IF_ERROR(U32(what, number));
  SCM_RETURN_IF_ERROR(U64(what, tensor.offset));
  const auto* row = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                 [&](const TensorType& t) { return t.number == number; });
  if (row == std::end(kTensorTypes) || row->dtype < 0) {
    return Refuse(absl::StrCat(
        what, " has type ",
        row == std::end(kTensorTypes) ? absl::StrCat("number ", number) : std::string(row->name),
        ", supported are F32, F16, BF16, Q8_0 and Q4_1: convert the model with one of these"));
  }
  tensor.dtype = static_cast<DType>(row->dtype);
  const int64_t values = ElementCount(tensor.shape);
  const std::optional<uint64_t> bytes = StoredBytes(tensor.dtype, values);
  if (!bytes || tensor.shape.back() % BlockValues(tensor.dtype) != 0) {
    return Refuse(absl::StrCat(what, ": shape ", ShapeText(tensor.shape), " is no whole number of ",
                               row->name, " blocks, or overflows"));
  }
  tensor.bytes = *bytes;
  return absl::OkStatus();
}

absl::Status GgufParser::PlaceTensors() {
  SCM_ASSIGN_OR_RETURN(const int64_t alignment, file_.Integer("general.alignment", 32));
  if (alignment < 1 || alignment > (1 << 20) || (alignment & (alignment - 1)) != 0) {
    return Refuse(absl::StrCat("general.alignment is ", alignment, ", expected a power of two"));
  }
  const auto step = static_cast<uint64_t>(alignment);
  // A file without tensors may end without padding.
  const uint64_t begin = std::min<uint64_t>((at_ + step - 1) / step * step, bytes_.size());
  const uint64_t room = bytes_.size() - begin;
  std::set<std::string> names;
  std::vector<const GgufTensor*> order;
  for (GgufTensor& tensor : file_.tensors_) {
    const std::string what = absl::StrCat("tensor ", Quoted(tensor.name));
    if (!names.insert(tensor.name).second) return Refuse(absl::StrCat(what, " is there twice"));
    if (tensor.offset % step != 0) {
      return Refuse(absl::StrCat(what, ": offset ", tensor.offset, " is no multiple of the ",
                                 alignment, " bytes of alignment"));
    }
    if (tensor.offset > room || tensor.bytes > room - tensor.offset) {
      return Refuse(absl::StrCat(what, ": ", tensor.bytes, " bytes at data offset ", tensor.offset,
                                 " lie outside the ", room,
                                 " bytes of data that the file has; it "
                                 "may be cut off: download or copy it again"));
    }
    tensor.offset += begin;
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes) {
      return Refuse(absl::StrCat("tensors ", Quoted(order[i - 1]->name), " and ",
                                 Quoted(order[i]->name), " overlap"));
    }
  }
  return absl::OkStatus();
}

absl::Status GgufParser::Run() {
  uint64_t tensors = 0, pairs = 0;
  SCM_RETURN_IF_ERROR(Header(tensors, pairs));
  SCM_RETURN_IF_ERROR(Metadata(pairs));
  SCM_RETURN_IF_ERROR(CheckWholeModel(file_));
  for (uint64_t i = 0; i < tensors; ++i) {
    GgufTensor tensor;
    SCM_RETURN_IF_ERROR(Tensor(tensor));
    file_.tensors_.push_back(std::move(tensor));
  }
  return PlaceTensors();
}

}  // namespace scm::model
