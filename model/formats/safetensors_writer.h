// Writer of one safetensors file, for adapters, optimiser state and merged models. Tensors are
// asked for their bytes one after another while the file is written, so a merged model never has to
// be in memory as a whole. Same input, same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/formats/safetensors.h"

namespace scm::model {

// Takes the next bytes of the tensor, in any number of pieces.
using TensorSink = std::function<absl::Status(const void* data, size_t bytes)>;

struct TensorToWrite {
  std::string name;
  SafetensorsType type;
  std::vector<int64_t> shape;
  // Called once, in file order; must give exactly the bytes that type and shape need.
  std::function<absl::Status(const TensorSink&)> write;
};

// A tensor whose bytes lie in memory at `data` until the file is written.
TensorToWrite TensorInMemory(std::string name, SafetensorsType type, std::vector<int64_t> shape,
                             const void* data);

// Writes `path` anew and fsyncs it (the caller renames and fsyncs the directory where that
// matters). Order as the reference implementation: larger elements first, then by name; the header
// is padded with spaces to a multiple of 8. On an error the half-written file is removed.
absl::Status WriteSafetensors(const std::string& path, std::vector<TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata = {
                                  {"format", "pt"}});

// fp32 values to the sink as F32, F16 or BF16 (round to nearest even), in pieces.
absl::Status WriteFloats(const TensorSink& sink, SafetensorsType type, const float* values,
                         int64_t count);

}  // namespace scm::model
