// Any bytes as a GGUF model: refused, or every tensor can be read and the tokenizer used.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/formats/gguf_file.h"
#include "model/formats/gguf_model.h"
#include "model/formats/gguf_tokenizer.h"
#include "model/formats/llama_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto file = scm::model::GgufFile::Parse(bytes, "input");
  if (!file.ok()) return 0;
  // By itself too: few inputs get as far as a whole model.
  const auto tokenizer = scm::model::TokenizerFromGguf(**file, 1 << 16);
  if (tokenizer.ok()) {
    const auto ids = (*tokenizer)->Encode("hola <|a|> 12 ñ", true);
    if (ids.ok()) (*tokenizer)->Decode(*ids);
  }
  const auto model = scm::model::MakeGgufModel(*std::move(file));
  if (!model.ok()) return 0;
  std::vector<float> values;
  for (const scm::model::TensorInfo& tensor : (*model)->tensors()) {
    values.resize(scm::model::ElementCount(tensor.shape));
    (*model)->ReadFloat32(tensor.name, values.data()).IgnoreError();
  }
  return 0;
}
