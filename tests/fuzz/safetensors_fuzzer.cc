// Any bytes as a safetensors file: refused, or its tensors fill it and can be read.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/formats/llama_tensors.h"
#include "model/formats/safetensors.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using scm::fuzz::Require;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = scm::model::SafetensorsFile::Parse(bytes, "input");
  if (!file.ok()) return 0;
  uint64_t total = 0;
  for (const scm::model::SafetensorsEntry& entry : (*file)->entries()) {
    const int64_t count = scm::model::ElementCount(entry.shape);
    Require(count >= 0, "a shape that can be counted");
    Require(static_cast<uint64_t>(count * SafetensorsTypeBytes(entry.type)) == entry.bytes,
            "shape times type are the bytes");
    Require((*file)->Data(entry).size() == entry.bytes, "the bytes lie in the file");
    total += entry.bytes;
    const auto found = (*file)->Find(entry.name);
    Require(found.ok() && *found == &entry, "a tensor is found by its name");
    std::vector<float> values(static_cast<size_t>(count));
    const bool read = (*file)->ReadFloat32(entry, values.data()).ok();
    Require(read == WeightType(entry.type).has_value(), "weights are read, and nothing else");
  }
  Require(total < size, "header and tensors fit into the file");
  return 0;
}
