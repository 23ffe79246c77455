// Any bytes as a GGUF model: refused, or every tensor can be read and the tokenizer used.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/formats/dequantise.h"
#include "model/formats/gguf_file.h"
#include "model/formats/gguf_model.h"
#include "model/formats/gguf_tokenizer.h"
#include "model/formats/hf_config.h"
#include "model/formats/llama_tensors.h"
#include "model/formats/rope_factors.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/use_tokenizer.h"

namespace scm::fuzz {
namespace {

constexpr int64_t kRows = 1 << 16;

void UseTensors(const model::GgufFile& file) {
  for (const model::GgufTensor& tensor : file.tensors()) {
    const int64_t count = model::ElementCount(tensor.shape);
    Require(model::StoredBytes(tensor.dtype, count) == tensor.bytes,
            "shape and type are the bytes");
    Require(file.Data(tensor).size() == tensor.bytes, "the bytes lie in the file");
    std::vector<float> values(static_cast<size_t>(count));
    model::Dequantise(tensor.dtype, file.Data(tensor).data(), count, values.data());
  }
}

void UseModel(const model::ModelSource& source) {
  const model::LlamaConfig& config = source.config();
  Require(model::CheckConfig(config, "input").ok(), "the configuration is in its ranges");
  if (config.rope_scaling) {
    for (const double factor :
         model::RopeFactors(*config.rope_scaling, config.rope_theta, config.head_dim)) {
      Require(std::isfinite(factor) && factor > 0, "positions turn by a positive number");
    }
  }
  Require(model::ConfigFromJson(model::ConfigJsonText(config, "float32"), "written").ok(),
          "the config.json of an export is read");
  std::set<std::string> names;
  for (const model::TensorInfo& tensor : source.tensors()) {
    Require(names.insert(tensor.name).second, "a name means one tensor");
    std::vector<float> values(static_cast<size_t>(model::ElementCount(tensor.shape)));
    Require(source.ReadFloat32(tensor.name, values.data()).ok(), "a listed tensor is read");
  }
  (void)source.MakeChatTemplate();
}

}  // namespace
}  // namespace scm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto file = scm::model::GgufFile::Parse(bytes, "input");
  if (!file.ok()) return 0;
  // By themselves too: few inputs get as far as a whole model.
  scm::fuzz::UseTensors(**file);
  const auto parts = scm::model::TokenizerPartsFromGguf(**file);
  if (parts.ok()) scm::fuzz::UseTokenizer(*parts, scm::fuzz::kRows);
  const auto model = scm::model::MakeGgufModel(*std::move(file));
  if (model.ok()) scm::fuzz::UseModel(**model);
  return 0;
}
