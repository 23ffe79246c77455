// A model on disk, whatever its format: a Hugging Face directory (config.json, safetensors with or
// without an index, tokenizer.json) or one GGUF file. Opens and validates headers only; tensor
// bytes are mapped and read on demand. Free of libtorch. Not thread-safe; one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/chat/chat_template.h"
#include "model/llama_config.h"
#include "model/tokenizer.h"

namespace scm::model {

enum class DType { kF32, kF16, kBF16, kQ8_0, kQ4_1 };
const char* DTypeName(DType dtype);

// One tensor by its Hugging Face name ("model.layers.0.self_attn.q_proj.weight"), row-major as
// Hugging Face lays it out: GGUF's permuted q and k rows are put back when read.
struct TensorInfo {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
};

class ModelSource {
 public:
  virtual ~ModelSource() = default;
  virtual const LlamaConfig& config() const = 0;
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  // Reads and dequantises one tensor to fp32 into `out` (product of the shape elements).
  // NOT_FOUND names the tensor. Exact: the same values as the reference implementations give.
  virtual absl::Status ReadFloat32(const std::string& name, float* out) const = 0;
  virtual absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer() const = 0;
  // The template by which the model was taught to talk. NOT_FOUND when the files hold none,
  // INVALID_ARGUMENT for one that is not known or where two places hold different ones.
  virtual absl::StatusOr<ChatTemplate> MakeChatTemplate() const;
  // Path given by the user, for messages and adapter_config.json.
  virtual const std::string& path() const = 0;
  // Where other programs read these files otherwise, in sentences.
  virtual std::vector<std::string> warnings() const { return {}; }
};

}  // namespace scm::model
