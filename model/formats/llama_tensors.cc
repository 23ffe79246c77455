#include "model/formats/llama_tensors.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "model/formats/hf_family.h"

namespace scm::model {
namespace {

absl::Status RefuseLayout(absl::string_view what, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", problem));
}

}  // namespace

absl::Status CheckConfig(const LlamaConfig& c, absl::string_view what) {
  // Generous limits: the largest Llama has hidden 16384, 126 layers and 128 heads.
  const struct {
    const char* name;
    int64_t value, limit;
  } ranges[] = {{"vocab_size", c.vocabulary, int64_t{1} << 24},
                {"hidden_size", c.hidden, int64_t{1} << 20},
                {"intermediate_size", c.intermediate, int64_t{1} << 22},
                {"num_hidden_layers", c.layers, 4096},
                {"num_attention_heads", c.heads, 65536},
                {"num_key_value_heads", c.kv_heads, 65536},
                {"head_dim", c.head_dim, 65536},
                {"max_position_embeddings", c.max_position, int64_t{1} << 40}};
  for (const auto& range : ranges) {
    if (range.value < 1 || range.value > range.limit) {
      return RefuseLayout(
          what, absl::StrCat(range.name, " is ", range.value, ", expected 1 to ", range.limit));
    }
  }
  if (c.heads % c.kv_heads != 0) {
    return RefuseLayout(what,
                        absl::StrCat("num_attention_heads (", c.heads,
                                     ") is no multiple of num_key_value_heads (", c.kv_heads, ")"));
  }
  if (c.head_dim % 2 != 0) {
    return RefuseLayout(what, absl::StrCat("head_dim is ", c.head_dim,
                                           ", but rotary positions need an even number"));
  }
  if (c.heads * c.head_dim > (int64_t{1} << 22)) {
    return RefuseLayout(what, absl::StrCat("num_attention_heads · head_dim is ",
                                           c.heads * c.head_dim, ", more than any Llama has"));
  }
  for (const int64_t token : {c.bos_token, c.eos_token}) {
    if (token < -1 || token >= c.vocabulary) {
      return RefuseLayout(what, absl::StrCat("start or end token ", token,
                                             " lies outside the vocabulary "
                                             "of ",
                                             c.vocabulary));
    }
  }
  if (!(c.rms_norm_eps > 0 && c.rms_norm_eps < 1)) {
    return RefuseLayout(what, absl::StrCat("rms_norm_eps is ", c.rms_norm_eps,
                                           ", expected a small positive number such as 1e-5"));
  }
  if (!(c.rope_theta > 1 && c.rope_theta < 1e15)) {
    return RefuseLayout(
        what, absl::StrCat("rope_theta is ", c.rope_theta, ", expected a number such as 500000"));
  }
  return absl::OkStatus();
}

std::vector<NeededTensor> NeededTensors(const LlamaConfig& c) {
  std::vector<NeededTensor> needed;
  needed.push_back({"model.embed_tokens.weight", {c.vocabulary, c.hidden}});
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string p = absl::StrCat("model.layers.", layer, ".");
    needed.push_back({p + "input_layernorm.weight", {c.hidden}});
    needed.push_back({p + "self_attn.q_proj.weight", {q, c.hidden}});
    needed.push_back({p + "self_attn.k_proj.weight", {kv, c.hidden}});
    needed.push_back({p + "self_attn.v_proj.weight", {kv, c.hidden}});
    needed.push_back({p + "self_attn.o_proj.weight", {c.hidden, q}});
    if (c.qkv_bias) {
      needed.push_back({p + "self_attn.q_proj.bias", {q}});
      needed.push_back({p + "self_attn.k_proj.bias", {kv}});
      needed.push_back({p + "self_attn.v_proj.bias", {kv}});
    }
    if (c.qk_norm) {
      needed.push_back({p + "self_attn.q_norm.weight", {c.head_dim}});
      needed.push_back({p + "self_attn.k_norm.weight", {c.head_dim}});
    }
    needed.push_back({p + "post_attention_layernorm.weight", {c.hidden}});
    needed.push_back({p + "mlp.gate_proj.weight", {c.intermediate, c.hidden}});
    needed.push_back({p + "mlp.up_proj.weight", {c.intermediate, c.hidden}});
    needed.push_back({p + "mlp.down_proj.weight", {c.hidden, c.intermediate}});
  }
  needed.push_back({"model.norm.weight", {c.hidden}});
  if (!c.tied_embeddings) needed.push_back({"lm_head.weight", {c.vocabulary, c.hidden}});
  return needed;
}

bool IgnoredTensor(absl::string_view name, const LlamaConfig& config) {
  return absl::EndsWith(name, ".self_attn.rotary_emb.inv_freq") ||
         (config.tied_embeddings && name == "lm_head.weight");
}

absl::Status CheckTensors(const LlamaConfig& config, const std::vector<TensorInfo>& tensors,
                          absl::string_view what) {
  std::map<std::string, const TensorInfo*> present;
  for (const TensorInfo& tensor : tensors) present[tensor.name] = &tensor;
  for (const NeededTensor& needed : NeededTensors(config)) {
    const auto it = present.find(needed.name);
    if (it == present.end()) {
      return RefuseLayout(
          what,
          absl::StrCat("tensor ", needed.name, " is missing, expected with shape ",
                       ShapeText(needed.shape), "; the file may be incomplete: download it again"));
    }
    if (it->second->shape != needed.shape) {
      return RefuseLayout(
          what, absl::StrCat("tensor ", needed.name, " has shape ", ShapeText(it->second->shape),
                             ", but by the model's configuration it is ", ShapeText(needed.shape)));
    }
    present.erase(it);
  }
  for (const auto& [name, tensor] : present) {
    if (IgnoredTensor(name, config)) continue;
    return RefuseLayout(
        what, absl::StrCat("tensor ", name, " is no part of a ", ModelType(config.family),
                           " model with ", config.layers,
                           " layers; only plain models are supported "
                           "(no further biases, no experts, no merged adapters' leftovers)"));
  }
  return absl::OkStatus();
}

int64_t ElementCount(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count)) return -1;
  }
  return count;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace scm::model
