// One pass over the header of a GGUF file; used by gguf_file.cc only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/formats/gguf_file.h"

namespace scm::model {

// Bytes of a scalar of this type; 0 for strings, arrays and unknown numbers.
uint64_t GgufScalarBytes(GgufType type);

class GgufParser {
 public:
  // `file` has path_ and bytes_ and receives the rest.
  explicit GgufParser(GgufFile& file) : file_(file), bytes_(file.bytes_) {}
  absl::Status Run();

 private:
  absl::Status Refuse(absl::string_view problem) const;
  absl::Status Header(uint64_t& tensors, uint64_t& pairs);
  absl::Status Metadata(uint64_t pairs);
  absl::Status Value(const std::string& key, int depth, GgufValue& value);
  absl::Status Array(const std::string& key, int depth, GgufValue& value);
  absl::Status Tensor(GgufTensor& tensor);
  absl::Status PlaceTensors();
  // The next `size` bytes, or a refusal that says what was being read.
  absl::Status Take(uint64_t size, absl::string_view what, absl::string_view& out);
  absl::Status U32(absl::string_view what, uint32_t& out);
  absl::Status U64(absl::string_view what, uint64_t& out);
  absl::Status Text(absl::string_view what, absl::string_view& out);

  GgufFile& file_;
  absl::string_view bytes_;
  uint64_t at_ = 0;
};

}  // namespace scm::model
