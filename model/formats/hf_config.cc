#include "model/formats/hf_config.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/formats/hf_family.h"
#include "model/formats/hf_rope.h"
#include "model/formats/llama_tensors.h"

namespace scm::model {
namespace {

absl::Status Refuse(absl::string_view what, absl::string_view key, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", key, ": ", problem));
}

absl::Status ReadInteger(const Json& json, const char* key, absl::string_view what, int64_t& out) {
  const Json& value = MemberAt(json, key);
  if (!value.is_number_integer()) {
    return Refuse(what, key, absl::StrCat("is ", DumpJson(value), ", expected a whole number"));
  }
  out = value.get<int64_t>();
  return absl::OkStatus();
}

// Absent or null leaves `out` as it is.
absl::Status ReadOptionalInteger(const Json& json, const char* key, absl::string_view what,
                                 int64_t& out) {
  return MemberAt(json, key).is_null() ? absl::OkStatus() : ReadInteger(json, key, what, out);
}

absl::Status ReadOptionalNumber(const Json& json, const char* key, absl::string_view what,
                                double& out) {
  const Json& value = MemberAt(json, key);
  if (value.is_null()) return absl::OkStatus();
  if (!value.is_number()) {
    return Refuse(what, key, absl::StrCat("is ", DumpJson(value), ", expected a number"));
  }
  out = value.get<double>();
  return absl::OkStatus();
}

// One id or a list of them; anything else is none.
std::vector<int64_t> TokensAt(const Json& json, const char* key) {
  const Json& value = MemberAt(json, key);
  std::vector<int64_t> tokens;
  for (const Json& token : value.is_array() ? value : Json::array({value})) {
    if (token.is_number_integer()) tokens.push_back(token.get<int64_t>());
  }
  return tokens;
}

// What would make it another model than its family is here.
absl::Status CheckPlain(const Json& json, ModelFamily family, absl::string_view what) {
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    // Qwen2 has its biases whatever this key says, and Mistral none.
    if (family == ModelFamily::kQwen2 && key == absl::string_view("attention_bias")) continue;
    if (BoolAt(json, key, false)) return Refuse(what, key, "true is not supported");
  }
  const std::string activation = StringAt(json, "hidden_act", "silu");
  if (activation != "silu") {
    return Refuse(what, "hidden_act", absl::StrCat("is \"", activation, "\", expected \"silu\""));
  }
  if (!MemberAt(json, "quantization_config").is_null()) {
    return Refuse(
        what, "quantization_config",
        "quantised weights are not supported here; use the original model or a GGUF file");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LlamaConfig> ConfigFromJson(absl::string_view text, const std::string& what) {
  SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(text, what));
  if (!json.is_object()) return absl::InvalidArgumentError(what + ": expected a JSON object");
  SCM_ASSIGN_OR_RETURN(const ModelFamily family, FamilyFromJson(json, what));
  SCM_RETURN_IF_ERROR(CheckPlain(json, family, what));
  LlamaConfig c = FamilyDefaults(family);
  SCM_RETURN_IF_ERROR(ReadInteger(json, "vocab_size", what, c.vocabulary));
  SCM_RETURN_IF_ERROR(ReadInteger(json, "hidden_size", what, c.hidden));
  SCM_RETURN_IF_ERROR(ReadInteger(json, "intermediate_size", what, c.intermediate));
  SCM_RETURN_IF_ERROR(ReadInteger(json, "num_hidden_layers", what, c.layers));
  SCM_RETURN_IF_ERROR(ReadInteger(json, "num_attention_heads", what, c.heads));
  if (c.kv_heads == 0 || json.contains("num_key_value_heads")) c.kv_heads = c.heads;
  SCM_RETURN_IF_ERROR(ReadOptionalInteger(json, "num_key_value_heads", what, c.kv_heads));
  if (MemberAt(json, "head_dim").is_null() && c.head_dim == 0) {
    if (c.heads < 1 || c.hidden % c.heads != 0) {
      return Refuse(what, "num_attention_heads",
                    absl::StrCat("is ", c.heads, ", which does not divide hidden_size ", c.hidden));
    }
    c.head_dim = c.hidden / c.heads;
  }
  SCM_RETURN_IF_ERROR(ReadOptionalInteger(json, "head_dim", what, c.head_dim));
  SCM_RETURN_IF_ERROR(ReadOptionalInteger(json, "max_position_embeddings", what, c.max_position));
  SCM_RETURN_IF_ERROR(ReadOptionalNumber(json, "rms_norm_eps", what, c.rms_norm_eps));
  SCM_RETURN_IF_ERROR(ReadRope(json, what, &c));
  c.tied_embeddings = BoolAt(json, "tie_word_embeddings", c.tied_embeddings);
  // Llama 3 has several end tokens; the first stands for them.
  const std::vector<int64_t> starts = TokensAt(json, "bos_token_id");
  c.stop_tokens = StopTokensFromJson(json);
  c.bos_token = starts.empty() ? -1 : starts[0];
  c.eos_token = c.stop_tokens.empty() ? -1 : c.stop_tokens[0];
  SCM_RETURN_IF_ERROR(CheckConfig(c, what));
  SCM_RETURN_IF_ERROR(ReadLayerKinds(json, what, &c));
  return c;
}

std::vector<int64_t> StopTokensFromJson(const Json& json) { return TokensAt(json, "eos_token_id"); }

std::string ConfigJsonText(const LlamaConfig& c, absl::string_view dtype) {
  const auto token = [](int64_t id) { return id < 0 ? Json() : Json(id); };
  Json json = {{"architectures", {"LlamaForCausalLM"}},
               {"model_type", "llama"},
               {"vocab_size", c.vocabulary},
               {"hidden_size", c.hidden},
               {"intermediate_size", c.intermediate},
               {"num_hidden_layers", c.layers},
               {"num_attention_heads", c.heads},
               {"num_key_value_heads", c.kv_heads},
               {"head_dim", c.head_dim},
               {"hidden_act", "silu"},
               {"max_position_embeddings", c.max_position},
               {"rms_norm_eps", c.rms_norm_eps},
               {"rope_theta", c.rope_theta},
               {"rope_scaling", nullptr},
               {"attention_bias", false},
               {"mlp_bias", false},
               {"tie_word_embeddings", c.tied_embeddings},
               {"bos_token_id", token(c.bos_token)},
               {"eos_token_id", token(c.eos_token)},
               {"torch_dtype", std::string(dtype)}};
  if (c.rope_scaling) {
    json["rope_scaling"] = {
        {"rope_type", "llama3"},
        {"factor", c.rope_scaling->factor},
        {"low_freq_factor", c.rope_scaling->low_freq_factor},
        {"high_freq_factor", c.rope_scaling->high_freq_factor},
        {"original_max_position_embeddings", c.rope_scaling->original_max_position}};
  }
  return DumpJson(json, 2) + "\n";
}

}  // namespace scm::model
