#include "trainer/compute/weights.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::trainer {
namespace {

class Loader {
 public:
  Loader(const model::ModelSource& source, at::ScalarType type, const at::Device& device,
         const BaseQuantization& quantization, QuantizedCache* cache)
      : source_(source),
        options_(at::TensorOptions().dtype(type).device(device)),
        quantization_(quantization),
        cache_(cache) {}

  absl::Status Read(const std::string& name, std::vector<int64_t> shape, at::Tensor* out) {
    *out = at::empty(shape, options_);
    if (out->scalar_type() == at::kFloat && out->is_cpu()) {
      return source_.ReadFloat32(name, out->mutable_data_ptr<float>());
    }
    at::Tensor wide = at::empty(shape, at::kFloat);
    SCM_RETURN_IF_ERROR(source_.ReadFloat32(name, wide.mutable_data_ptr<float>()));
    out->copy_(wide);
    return absl::OkStatus();
  }
  absl::Status Read(const std::string& name, int64_t out, int64_t in, FrozenMatrix* matrix) {
    at::Tensor plain;
    SCM_RETURN_IF_ERROR(Read(name, {out, in}, &plain));
    *matrix = FrozenMatrix(std::move(plain));
    return absl::OkStatus();
  }

  // A matrix of a layer, quantised if that is wanted.
  absl::Status ReadLinear(const std::string& name, int64_t out, int64_t in, FrozenMatrix* matrix) {
    if (!quantization_.active()) return Read(name, out, in, matrix);
    SCM_ASSIGN_OR_RETURN(
        std::shared_ptr<const QuantizedMatrix> quantized,
        cache_ != nullptr && cache_->has_file() ? Kept(name, out, in) : Quantized(name, out, in));
    *matrix = FrozenMatrix(std::move(quantized), at::typeMetaToScalarType(options_.dtype()));
    return absl::OkStatus();
  }

  absl::Status ReadLayer(int64_t index, LayerWeights* layer) {
    const model::LlamaConfig& c = source_.config();
    const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    const std::string at = absl::StrCat("model.layers.", index, ".");
    SCM_RETURN_IF_ERROR(Read(at + "input_layernorm.weight", {c.hidden}, &layer->input_norm));
    SCM_RETURN_IF_ERROR(
        Read(at + "post_attention_layernorm.weight", {c.hidden}, &layer->post_norm));
    const std::string attention = at + "self_attn.", mlp = at + "mlp.";
    SCM_RETURN_IF_ERROR(ReadLinear(attention + "q_proj.weight", q, c.hidden, &layer->q));
    SCM_RETURN_IF_ERROR(ReadLinear(attention + "k_proj.weight", kv, c.hidden, &layer->k));
    SCM_RETURN_IF_ERROR(ReadLinear(attention + "v_proj.weight", kv, c.hidden, &layer->v));
    SCM_RETURN_IF_ERROR(ReadLinear(attention + "o_proj.weight", c.hidden, q, &layer->o));
    if (c.qkv_bias) {
      SCM_RETURN_IF_ERROR(Read(attention + "q_proj.bias", {q}, &layer->q_bias));
      SCM_RETURN_IF_ERROR(Read(attention + "k_proj.bias", {kv}, &layer->k_bias));
      SCM_RETURN_IF_ERROR(Read(attention + "v_proj.bias", {kv}, &layer->v_bias));
    }
    if (c.qk_norm) {
      SCM_RETURN_IF_ERROR(Read(attention + "q_norm.weight", {c.head_dim}, &layer->q_norm));
      SCM_RETURN_IF_ERROR(Read(attention + "k_norm.weight", {c.head_dim}, &layer->k_norm));
    }
    SCM_RETURN_IF_ERROR(
        ReadLinear(mlp + "gate_proj.weight", c.intermediate, c.hidden, &layer->gate));
    SCM_RETURN_IF_ERROR(ReadLinear(mlp + "up_proj.weight", c.intermediate, c.hidden, &layer->up));
    return ReadLinear(mlp + "down_proj.weight", c.hidden, c.intermediate, &layer->down);
  }

 private:
  using Quantization = absl::StatusOr<std::shared_ptr<const QuantizedMatrix>>;

  Quantization Kept(const std::string& name, int64_t out, int64_t in) {
    SCM_ASSIGN_OR_RETURN(QuantizedMatrix kept, cache_->Find(name, out, in));
    return std::make_shared<const QuantizedMatrix>(std::move(kept));
  }
  Quantization Quantized(const std::string& name, int64_t out, int64_t in) {
    const at::Tensor wide = at::empty({out, in}, at::kFloat);
    SCM_RETURN_IF_ERROR(source_.ReadFloat32(name, wide.mutable_data_ptr<float>()));
    absl::StatusOr<QuantizedMatrix> made =
        QuantizedMatrix::Make(wide.const_data_ptr<float>(), out, in, quantization_);
    if (!made.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(source_.path(), ": ", name, ": ", made.status().message()));
    }
    auto matrix = std::make_shared<const QuantizedMatrix>(*std::move(made));
    if (cache_ != nullptr) cache_->Add(name, matrix);
    return matrix;
  }

  const model::ModelSource& source_;
  at::TensorOptions options_;
  BaseQuantization quantization_;
  QuantizedCache* cache_;
};

}  // namespace

absl::StatusOr<LlamaWeights> LoadWeights(const model::ModelSource& source, at::ScalarType type,
                                         const at::Device& device,
                                         const BaseQuantization& quantization,
                                         QuantizedCache* cache) {
  const model::LlamaConfig& c = source.config();
  if (cache != nullptr) cache->Open(quantization);
  Loader loader(source, type, device, quantization, cache);
  LlamaWeights w;
  SCM_RETURN_IF_ERROR(loader.Read("model.embed_tokens.weight", c.vocabulary, c.hidden,
                                  c.tied_embeddings ? &w.head : &w.embedding));
  SCM_RETURN_IF_ERROR(loader.Read("model.norm.weight", {c.hidden}, &w.norm));
  if (!c.tied_embeddings) {
    SCM_RETURN_IF_ERROR(loader.Read("lm_head.weight", c.vocabulary, c.hidden, &w.head));
  }
  w.layers.resize(static_cast<size_t>(c.layers));
  for (int64_t i = 0; i < c.layers; ++i) {
    SCM_RETURN_IF_ERROR(loader.ReadLayer(i, &w.layers[static_cast<size_t>(i)]));
  }
  if (cache != nullptr) cache->Write();
  return w;
}

}  // namespace scm::trainer
