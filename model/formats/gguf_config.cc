#include "model/formats/gguf_config.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "model/formats/dequantise.h"
#include "model/formats/llama_tensors.h"
#include "model/formats/rope_factors.h"

namespace scm::model {
namespace {

constexpr int64_t kMaxOriginal = 1'000'000'000'000;

absl::Status Refuse(const GgufFile& file, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", problem));
}

const GgufTensor* FindTensor(const GgufFile& file, absl::string_view name) {
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

absl::Status CheckArchitecture(const GgufFile& file) {
  SCM_ASSIGN_OR_RETURN(const std::string architecture, file.String("general.architecture"));
  if (architecture != "llama") {
    return Refuse(file, absl::StrCat("general.architecture is \"", architecture,
                                     "\", only \"llama\" is supported in a GGUF file; of mistral, "
                                     "qwen2, qwen3 and smollm3 give the Hugging Face directory"));
  }
  SCM_ASSIGN_OR_RETURN(const int64_t experts, file.Integer("llama.expert_count", 0));
  if (experts != 0) return Refuse(file, "llama.expert_count: mixtures of experts are no Llama");
  // Without a type llama.cpp scales linearly by the factor; 0 and 1 are no scaling.
  SCM_ASSIGN_OR_RETURN(const double factor, file.Number("llama.rope.scaling.factor", 1));
  if (!file.Has("llama.rope.scaling.type") && factor != 0 && factor != 1) {
    return Refuse(file, absl::StrCat("llama.rope.scaling.factor is ", factor,
                                     " without llama.rope.scaling.type, which llama.cpp reads as "
                                     "linear scaling; supported are none and Llama 3's "
                                     "rope_freqs"));
  }
  SCM_ASSIGN_OR_RETURN(const std::string type, file.String("llama.rope.scaling.type", "none"));
  if (type != "none") {
    return Refuse(file, absl::StrCat("llama.rope.scaling.type is \"", type,
                                     "\", supported are none and Llama 3's rope_freqs"));
  }
  SCM_ASSIGN_OR_RETURN(const double linear, file.Number("llama.rope.scale_linear", 1));
  if (linear != 1) return Refuse(file, "llama.rope.scale_linear is not supported");
  return absl::OkStatus();
}

absl::Status ReadHeadDim(const GgufFile& file, LlamaConfig& c) {
  if (c.heads < 1 || (!file.Has("llama.attention.key_length") && c.hidden % c.heads != 0)) {
    return Refuse(file, absl::StrCat("llama.attention.head_count is ", c.heads,
                                     ", which does not divide llama.embedding_length ", c.hidden));
  }
  SCM_ASSIGN_OR_RETURN(c.head_dim, file.Integer("llama.attention.key_length", c.hidden / c.heads));
  SCM_ASSIGN_OR_RETURN(const int64_t value,
                       file.Integer("llama.attention.value_length", c.head_dim));
  SCM_ASSIGN_OR_RETURN(const int64_t rotated,
                       file.Integer("llama.rope.dimension_count", c.head_dim));
  if (value != c.head_dim || rotated != c.head_dim) {
    return Refuse(file, absl::StrCat("key_length ", c.head_dim, ", value_length ", value,
                                     " and rope.dimension_count ", rotated, " differ"));
  }
  return absl::OkStatus();
}

absl::Status ReadRopeFactors(const GgufFile& file, LlamaConfig& c) {
  const GgufTensor* tensor = FindTensor(file, "rope_freqs.weight");
  if (tensor == nullptr) return absl::OkStatus();
  if (tensor->dtype != DType::kF32 || tensor->shape != std::vector<int64_t>{c.head_dim / 2}) {
    return Refuse(file, absl::StrCat("tensor rope_freqs.weight has type ", DTypeName(tensor->dtype),
                                     " and shape ", ShapeText(tensor->shape),
                                     ", expected F32 and [", c.head_dim / 2, "]"));
  }
  std::vector<float> factors(c.head_dim / 2);
  Dequantise(DType::kF32, file.Data(*tensor).data(), c.head_dim / 2, factors.data());
  SCM_ASSIGN_OR_RETURN(const int64_t original,
                       file.Integer("llama.rope.scaling.original_context_length", 8192));
  if (original < 1 || original >= kMaxOriginal) {
    return Refuse(file, absl::StrCat("llama.rope.scaling.original_context_length is ", original,
                                     ", expected a positive number such as 8192"));
  }
  bool found = false;
  c.rope_scaling = ScalingFromFactors(factors, c.rope_theta, original, found);
  if (!found) {
    return Refuse(file,
                  "tensor rope_freqs.weight is not the scaling of a Llama 3 model (low 1, "
                  "high 4); use the model's Hugging Face directory instead");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LlamaConfig> ConfigFromGguf(const GgufFile& file) {
  SCM_RETURN_IF_ERROR(CheckArchitecture(file));
  LlamaConfig c;
  SCM_ASSIGN_OR_RETURN(c.hidden, file.Integer("llama.embedding_length"));
  SCM_ASSIGN_OR_RETURN(c.intermediate, file.Integer("llama.feed_forward_length"));
  SCM_ASSIGN_OR_RETURN(c.layers, file.Integer("llama.block_count"));
  SCM_ASSIGN_OR_RETURN(c.heads, file.Integer("llama.attention.head_count"));
  SCM_ASSIGN_OR_RETURN(c.kv_heads, file.Integer("llama.attention.head_count_kv", c.heads));
  SCM_ASSIGN_OR_RETURN(c.rms_norm_eps, file.Number("llama.attention.layer_norm_rms_epsilon"));
  SCM_ASSIGN_OR_RETURN(c.rope_theta, file.Number("llama.rope.freq_base", 10000));
  SCM_ASSIGN_OR_RETURN(c.max_position, file.Integer("llama.context_length"));
  SCM_ASSIGN_OR_RETURN(c.bos_token, file.Integer("tokenizer.ggml.bos_token_id", -1));
  SCM_ASSIGN_OR_RETURN(c.eos_token, file.Integer("tokenizer.ggml.eos_token_id", -1));
  if (c.eos_token >= 0) c.stop_tokens = {c.eos_token};
  if (file.Has("llama.vocab_size")) {
    SCM_ASSIGN_OR_RETURN(c.vocabulary, file.Integer("llama.vocab_size"));
  } else {
    SCM_ASSIGN_OR_RETURN(const auto tokens, file.Strings("tokenizer.ggml.tokens"));
    c.vocabulary = static_cast<int64_t>(tokens.size());
  }
  SCM_RETURN_IF_ERROR(ReadHeadDim(file, c));
  c.tied_embeddings = FindTensor(file, "output.weight") == nullptr;
  SCM_RETURN_IF_ERROR(CheckConfig(c, file.path()));
  SCM_RETURN_IF_ERROR(ReadRopeFactors(file, c));
  return c;
}

}  // namespace scm::model
