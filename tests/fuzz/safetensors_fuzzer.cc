// Any bytes as a safetensors file: refused, or every tensor can be read.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/formats/llama_tensors.h"
#include "model/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = scm::model::SafetensorsFile::Parse(bytes, "input");
  if (!file.ok()) return 0;
  std::vector<float> values;
  for (const scm::model::SafetensorsEntry& entry : (*file)->entries()) {
    values.resize(scm::model::ElementCount(entry.shape));
    (*file)->ReadFloat32(entry, values.data()).IgnoreError();
  }
  return 0;
}
