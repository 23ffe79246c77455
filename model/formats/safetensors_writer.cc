#include "model/formats/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/formats/llama_tensors.h"

namespace scm::model {
namespace {

constexpr size_t kBuffer = 1 << 20;

// Buffered writing to a descriptor that it owns.
class Output {
 public:
  Output(int fd, std::string path) : fd_(fd), path_(std::move(path)) { buffer_.reserve(kBuffer); }
  ~Output() {
    if (fd_ >= 0) close(fd_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  absl::Status Add(const void* data, size_t bytes) {
    if (buffer_.size() + bytes > kBuffer) SCM_RETURN_IF_ERROR(Flush());
    if (bytes > kBuffer) return Write(static_cast<const char*>(data), bytes);
    buffer_.append(static_cast<const char*>(data), bytes);
    return absl::OkStatus();
  }

  absl::Status Finish() {
    SCM_RETURN_IF_ERROR(Flush());
    if (fsync(fd_) != 0) return Error("cannot fsync");
    if (close(std::exchange(fd_, -1)) != 0) return Error("cannot close");
    return absl::OkStatus();
  }

 private:
  absl::Status Error(absl::string_view what) const {
    return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path_));
  }
  absl::Status Flush() {
    SCM_RETURN_IF_ERROR(Write(buffer_.data(), buffer_.size()));
    buffer_.clear();
    return absl::OkStatus();
  }
  absl::Status Write(const char* data, size_t bytes) {
    while (bytes > 0) {
      const ssize_t n = write(fd_, data, bytes);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error("cannot write");
      data += n;
      bytes -= n;
    }
    return absl::OkStatus();
  }

  int fd_;
  std::string path_, buffer_;
};

// Bytes that type and shape need, −1 when they overflow.
int64_t NeededBytes(const TensorToWrite& tensor) {
  int64_t bytes = ElementCount(tensor.shape);
  const int64_t each = SafetensorsTypeBytes(tensor.type);
  if (bytes < 0 || __builtin_mul_overflow(bytes, each, &bytes)) return -1;
  return bytes;
}

// JSON text; what is no UTF-8 is replaced, because a writer of checkpoints must not fail on a path.
std::string Dump(const Json& value) { return DumpJson(value); }

absl::StatusOr<std::string> MakeHeader(const std::vector<TensorToWrite>& tensors,
                                       const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) absl::StrAppend(&header, "\"__metadata__\":", Dump(Json(metadata)));
  int64_t offset = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorToWrite& tensor = tensors[i];
    const int64_t bytes = NeededBytes(tensor);
    int64_t end = 0;
    if (bytes < 0 || __builtin_add_overflow(offset, bytes, &end)) {
      return absl::InvalidArgumentError(absl::StrCat("tensor \"", tensor.name, "\": shape ",
                                                     ShapeText(tensor.shape), " overflows"));
    }
    if (header.size() > 1) header += ',';
    const Json value = {{"dtype", SafetensorsTypeName(tensor.type)},
                        {"shape", tensor.shape},
                        {"data_offsets", {offset, end}}};
    absl::StrAppend(&header, Dump(tensor.name), ":", Dump(value));
    offset = end;
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

absl::Status CheckNames(const std::vector<TensorToWrite>& tensors) {
  std::vector<std::string> names;
  for (const TensorToWrite& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", *twice, "\" is given twice"));
  }
  if (std::binary_search(names.begin(), names.end(), "__metadata__")) {
    return absl::InvalidArgumentError("__metadata__ is no name for a tensor");
  }
  return absl::OkStatus();
}

absl::Status WriteTensor(const TensorToWrite& tensor, Output& output) {
  const auto expected = static_cast<uint64_t>(NeededBytes(tensor));
  uint64_t given = 0;
  const TensorSink sink = [&](const void* data, size_t bytes) -> absl::Status {
    given += bytes;
    if (given > expected) {
      return absl::InternalError(absl::StrCat("tensor \"", tensor.name, "\" gave ", given,
                                              " bytes or more, expected ", expected));
    }
    return output.Add(data, bytes);
  };
  SCM_RETURN_IF_ERROR(tensor.write(sink));
  if (given != expected) {
    return absl::InternalError(
        absl::StrCat("tensor \"", tensor.name, "\" gave ", given, " bytes, expected ", expected));
  }
  return absl::OkStatus();
}

absl::Status WriteAll(const std::string& header, const std::vector<TensorToWrite>& tensors,
                      Output& output) {
  const uint64_t length = header.size();
  SCM_RETURN_IF_ERROR(output.Add(&length, sizeof length));
  SCM_RETURN_IF_ERROR(output.Add(header.data(), header.size()));
  for (const TensorToWrite& tensor : tensors) SCM_RETURN_IF_ERROR(WriteTensor(tensor, output));
  return output.Finish();
}

uint16_t FloatToBFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to infinity
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 puts the bits that stay (units of 2⁻²⁴) at the bottom, rounded to even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
  }
  const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return sign | static_cast<uint16_t>((rounded - 0x38000000) >> 13);
}

}  // namespace

TensorToWrite TensorInMemory(std::string name, SafetensorsType type, std::vector<int64_t> shape,
                             const void* data) {
  TensorToWrite tensor{std::move(name), type, std::move(shape), nullptr};
  const int64_t bytes = std::max<int64_t>(NeededBytes(tensor), 0);
  tensor.write = [data, bytes](const TensorSink& sink) {
    return sink(data, static_cast<size_t>(bytes));
  };
  return tensor;
}

absl::Status WriteSafetensors(const std::string& path, std::vector<TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    return std::forward_as_tuple(-SafetensorsTypeBytes(a.type), a.type, a.name) <
           std::forward_as_tuple(-SafetensorsTypeBytes(b.type), b.type, b.name);
  });
  SCM_RETURN_IF_ERROR(CheckNames(tensors));
  SCM_ASSIGN_OR_RETURN(const std::string header, MakeHeader(tensors, metadata));
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", path));
  Output output(fd, path);
  const absl::Status status = WriteAll(header, tensors, output);
  if (!status.ok()) unlink(path.c_str());
  return status;
}

absl::Status WriteFloats(const TensorSink& sink, SafetensorsType type, const float* values,
                         int64_t count) {
  if (type == SafetensorsType::kF32) return sink(values, static_cast<size_t>(count) * 4);
  if (type != SafetensorsType::kF16 && type != SafetensorsType::kBF16) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write fp32 values as ", SafetensorsTypeName(type)));
  }
  const bool half = type == SafetensorsType::kF16;
  uint16_t piece[4096];
  while (count > 0) {
    const int64_t n = std::min<int64_t>(count, std::size(piece));
    for (int64_t i = 0; i < n; ++i) {
      piece[i] = half ? FloatToHalf(values[i]) : FloatToBFloat16(values[i]);
    }
    SCM_RETURN_IF_ERROR(sink(piece, static_cast<size_t>(n) * 2));
    values += n;
    count -= n;
  }
  return absl::OkStatus();
}

}  // namespace scm::model
