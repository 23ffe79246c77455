#include "model/formats/hf_family.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::model {
namespace {

struct FamilyRow {
  ModelFamily family;
  const char *type, *architecture;
};
constexpr FamilyRow kFamilies[] = {
    {ModelFamily::kLlama, "llama", "LlamaForCausalLM"},
    {ModelFamily::kMistral, "mistral", "MistralForCausalLM"},
    {ModelFamily::kQwen2, "qwen2", "Qwen2ForCausalLM"},
    {ModelFamily::kQwen3, "qwen3", "Qwen3ForCausalLM"},
    {ModelFamily::kSmolLM3, "smollm3", "SmolLM3ForCausalLM"},
};

const FamilyRow& RowOf(ModelFamily family) {
  for (const FamilyRow& row : kFamilies) {
    if (row.family == family) return row;
  }
  return kFamilies[0];
}

absl::Status RefuseKind(absl::string_view what, absl::string_view key, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", key, ": ", problem));
}

// A whole number of at least 1, where the key is there and not null.
absl::StatusOr<int64_t> PositiveAt(const Json& json, const char* key, absl::string_view what,
                                   int64_t otherwise) {
  const Json& value = MemberAt(json, key);
  if (value.is_null()) return otherwise;
  if (!value.is_number_integer() || value.get<int64_t>() < 1) {
    return RefuseKind(what, key,
                      absl::StrCat("is ", DumpJson(value), ", expected a whole number from 1 on"));
  }
  return value.get<int64_t>();
}

// SmolLM3: 1 stands for a layer that rotates, 0 for one that does not; without the list it is every
// fourth that does not, or what no_rope_layer_interval says.
absl::Status ReadRotates(const Json& json, absl::string_view what, LlamaConfig* config) {
  const Json& list = MemberAt(json, "no_rope_layers");
  SCM_ASSIGN_OR_RETURN(const int64_t interval, PositiveAt(json, "no_rope_layer_interval", what, 4));
  if (!list.is_null() && (!list.is_array() || static_cast<int64_t>(list.size()) < config->layers)) {
    return RefuseKind(what, "no_rope_layers",
                      absl::StrCat("expected a list of ", config->layers, " numbers, one a layer"));
  }
  for (int64_t layer = 0; layer < config->layers; ++layer) {
    if (list.is_null()) {
      config->rotates.push_back((layer + 1) % interval != 0);
      continue;
    }
    const Json& value = list[static_cast<size_t>(layer)];
    if (value != Json(0) && value != Json(1)) {
      return RefuseKind(what, absl::StrCat("no_rope_layers[", layer, "]"),
                        absl::StrCat("is ", DumpJson(value), ", expected 1 (rotates) or 0"));
    }
    config->rotates.push_back(value == Json(1));
  }
  return absl::OkStatus();
}

// Whether layer_types names a layer that slides.
absl::StatusOr<bool> NamesSliding(const Json& types, absl::string_view what, int64_t layers) {
  if (!types.is_array() || static_cast<int64_t>(types.size()) != layers) {
    return RefuseKind(what, "layer_types",
                      absl::StrCat("expected a list of ", layers, " words, one a layer"));
  }
  bool any = false;
  for (const Json& type : types) {
    const bool sliding = type == Json("sliding_attention");
    if (!sliding && type != Json("full_attention")) {
      return RefuseKind(what, "layer_types",
                        absl::StrCat("names ", DumpJson(type),
                                     ", supported are full_attention and sliding_attention"));
    }
    any = any || sliding;
  }
  return any;
}

// Whether a layer slides, of a family in which use_sliding_window must allow it.
absl::StatusOr<bool> AnySliding(const Json& json, absl::string_view what, bool allowed,
                                const LlamaConfig& config) {
  const Json& types = MemberAt(json, "layer_types");
  if (!types.is_null()) {
    SCM_ASSIGN_OR_RETURN(const bool any, NamesSliding(types, what, config.layers));
    if (!any || allowed) return any;
    return RefuseKind(what, "layer_types",
                      "names sliding_attention, but use_sliding_window and sliding_window do not "
                      "say how far it reaches");
  }
  if (!allowed) return false;
  if (config.family == ModelFamily::kSmolLM3) {
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      if (!config.Rotates(layer)) return true;
    }
    return false;
  }
  constexpr int64_t kFirstSliding = 28;  // what transformers takes when the key is absent
  const Json& first = MemberAt(json, "max_window_layers");
  if (first.is_null()) return config.layers > kFirstSliding;
  if (!first.is_number_integer()) {
    return RefuseKind(what, "max_window_layers", "expected a whole number");
  }
  return config.layers > first.get<int64_t>();
}

absl::Status ReadWindow(const Json& json, absl::string_view what, LlamaConfig* config) {
  constexpr char kKey[] = "sliding_window";
  constexpr int64_t kUsual = 4096;  // of Mistral and Qwen, when the key is absent
  const bool mistral = config->family == ModelFamily::kMistral;
  const bool silent = !json.contains(kKey) && config->family != ModelFamily::kSmolLM3;
  SCM_ASSIGN_OR_RETURN(const int64_t window, PositiveAt(json, kKey, what, silent ? kUsual : 0));
  if (mistral) {
    config->window = window;
    return absl::OkStatus();
  }
  const bool allowed = BoolAt(json, "use_sliding_window", false) && window > 0;
  SCM_ASSIGN_OR_RETURN(const bool any, AnySliding(json, what, allowed, *config));
  config->window = any ? window : 0;
  return absl::OkStatus();
}

}  // namespace

std::string SupportedFamilies() { return "llama, mistral, qwen2 (also Qwen2.5), qwen3, smollm3"; }

const char* ModelType(ModelFamily family) { return RowOf(family).type; }
const char* ArchitectureName(ModelFamily family) { return RowOf(family).architecture; }

absl::StatusOr<ModelFamily> FamilyFromJson(const Json& json, absl::string_view what) {
  const std::string type = StringAt(json, "model_type");
  for (const FamilyRow& row : kFamilies) {
    if (type != row.type) continue;
    const Json& architectures = MemberAt(json, "architectures");
    if (architectures.is_null() || architectures == Json::array({row.architecture})) {
      return row.family;
    }
    return RefuseKind(what, "architectures",
                      absl::StrCat("is ", DumpJson(architectures), ", but of a model of type \"",
                                   type, "\" only ", row.architecture, " is supported"));
  }
  return RefuseKind(what, "model_type",
                    absl::StrCat("is \"", type, "\", but supported are ", SupportedFamilies()));
}

LlamaConfig FamilyDefaults(ModelFamily family) {
  LlamaConfig c;
  c.family = family;
  c.rms_norm_eps = 1e-6;
  c.qkv_bias = family == ModelFamily::kQwen2;
  c.qk_norm = family == ModelFamily::kQwen3;
  switch (family) {
    case ModelFamily::kLlama:
      break;
    case ModelFamily::kMistral:
      c.kv_heads = 8;
      c.max_position = 131072;
      break;
    case ModelFamily::kQwen3:
      c.head_dim = 128;
      [[fallthrough]];
    case ModelFamily::kQwen2:
      c.kv_heads = 32;
      c.max_position = 32768;
      break;
    case ModelFamily::kSmolLM3:
      c.kv_heads = 4;
      c.max_position = 32768;
      c.rope_theta = 2e6;
      c.tied_embeddings = true;
      break;
  }
  return c;
}

absl::Status ReadLayerKinds(const Json& json, absl::string_view what, LlamaConfig* config) {
  if (config->family == ModelFamily::kLlama) return absl::OkStatus();
  if (config->family == ModelFamily::kSmolLM3) {
    SCM_RETURN_IF_ERROR(ReadRotates(json, what, config));
  }
  return ReadWindow(json, what, config);
}

absl::Status CheckWindow(const LlamaConfig& config, int64_t max_length, absl::string_view path) {
  if (config.window == 0 || max_length <= config.window) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": has a sliding window of ", config.window,
                   " tokens (sliding_window), and up to ", max_length,
                   " tokens are wanted; sliding attention is not supported, and within the window "
                   "it is the same as full attention. Set data.max_length to at most ",
                   config.window));
}

}  // namespace scm::model
