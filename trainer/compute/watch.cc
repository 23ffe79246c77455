// The names that a watch of the model's values gives to its modules.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trainer/compute/llama_model.h"

namespace scm::trainer {
namespace {

// "layer 7, mlp.down_proj" of "base_model.model.model.layers.7.mlp.down_proj".
std::string ShortName(absl::string_view module) {
  absl::ConsumePrefix(&module, "base_model.model.");
  if (!absl::ConsumePrefix(&module, "model.layers.")) return std::string(module);
  const size_t dot = module.find('.');
  return absl::StrCat("layer ", module.substr(0, dot), ", ", module.substr(dot + 1));
}

}  // namespace

void LlamaModelImpl::Watch(FirstNonFinite* found) {
  if (unwatched_ != nullptr) kernels_ = std::move(unwatched_);
  if (found == nullptr) return;
  ModuleNames names;
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    const LayerWeights& w = weights_.layers[i];
    const std::string layer = absl::StrCat("layer ", i, ", ");
    names.Add(w.input_norm, layer + "input_layernorm");
    names.Add(w.post_norm, layer + "post_attention_layernorm");
    if (w.q_norm.defined()) names.Add(w.q_norm, layer + "self_attn.q_norm");
    if (w.k_norm.defined()) names.Add(w.k_norm, layer + "self_attn.k_norm");
    names.Add(w.q, layer + "self_attn.q_proj");
    names.Add(w.k, layer + "self_attn.k_proj");
    names.Add(w.v, layer + "self_attn.v_proj");
    names.Add(w.o, layer + "self_attn.o_proj");
    names.Add(w.gate, layer + "mlp.gate_proj");
    names.Add(w.up, layer + "mlp.up_proj");
    names.Add(w.down, layer + "mlp.down_proj");
  }
  names.Add(weights_.norm, "norm");
  names.Add(weights_.head, "lm_head");
  for (const auto& set : sets_) {
    for (const AdapterPair& pair : set->pairs) {
      for (const at::Tensor* tensor : {&pair.a, &pair.b, &pair.grad_a}) {
        names.Add(*tensor, ShortName(pair.name));
      }
    }
  }
  unwatched_ = std::move(kernels_);
  kernels_ = MakeWatchingKernels(unwatched_.get(), std::move(names), found);
}

}  // namespace scm::trainer
