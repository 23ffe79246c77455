#include "model/formats/gguf_names.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace scm::model {
namespace {

struct Pair {
  const char* gguf;
  const char* hugging_face;
};
constexpr Pair kGlobal[] = {{"token_embd.weight", "model.embed_tokens.weight"},
                            {"output_norm.weight", "model.norm.weight"},
                            {"output.weight", "lm_head.weight"}};
constexpr Pair kLayer[] = {{"attn_norm.weight", "input_layernorm.weight"},
                           {"attn_q.weight", "self_attn.q_proj.weight"},
                           {"attn_k.weight", "self_attn.k_proj.weight"},
                           {"attn_v.weight", "self_attn.v_proj.weight"},
                           {"attn_output.weight", "self_attn.o_proj.weight"},
                           {"ffn_norm.weight", "post_attention_layernorm.weight"},
                           {"ffn_gate.weight", "mlp.gate_proj.weight"},
                           {"ffn_up.weight", "mlp.up_proj.weight"},
                           {"ffn_down.weight", "mlp.down_proj.weight"}};

using Side = const char* Pair::*;

std::optional<std::string> Translate(absl::string_view name, absl::string_view from_prefix,
                                     absl::string_view to_prefix, Side from, Side to) {
  for (const Pair& pair : kGlobal) {
    if (name == pair.*from) return pair.*to;
  }
  if (!absl::ConsumePrefix(&name, from_prefix)) return std::nullopt;
  const size_t dot = name.find('.');
  if (dot == name.npos) return std::nullopt;
  const absl::string_view digits = name.substr(0, dot);
  int layer = 0;
  // Only the usual spelling, so that two names never mean one tensor.
  if (!absl::SimpleAtoi(digits, &layer) || layer < 0 || absl::StrCat(layer) != digits) {
    return std::nullopt;
  }
  for (const Pair& pair : kLayer) {
    if (name.substr(dot + 1) == pair.*from) return absl::StrCat(to_prefix, layer, ".", pair.*to);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> HuggingFaceName(absl::string_view gguf_name) {
  return Translate(gguf_name, "blk.", "model.layers.", &Pair::gguf, &Pair::hugging_face);
}

std::optional<std::string> GgufName(absl::string_view hugging_face_name) {
  return Translate(hugging_face_name, "model.layers.", "blk.", &Pair::hugging_face, &Pair::gguf);
}

}  // namespace scm::model
