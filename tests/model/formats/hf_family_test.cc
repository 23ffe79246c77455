#include "model/formats/hf_family.h"

#include <functional>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/formats/hf_config.h"
#include "model/formats/llama_tensors.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

Json Shape(int64_t vocabulary, int64_t hidden, int64_t intermediate, int64_t layers, int64_t heads,
           int64_t kv_heads) {
  return {{"vocab_size", vocabulary},     {"hidden_size", hidden},
          {"num_hidden_layers", layers},  {"intermediate_size", intermediate},
          {"num_attention_heads", heads}, {"num_key_value_heads", kv_heads},
          {"hidden_act", "silu"}};
}

Json With(Json json, const Json& more) {
  json.update(more);
  return json;
}

int64_t Parameters(const LlamaConfig& config) {
  int64_t sum = 0;
  for (const NeededTensor& tensor : NeededTensors(config)) sum += ElementCount(tensor.shape);
  return sum;
}

// The shapes and keys of published models, and how many parameters they are said to have.
TEST(Families, PublishedModels) {
  const Json llama_rope = {{"factor", 32.0},
                           {"high_freq_factor", 4.0},
                           {"low_freq_factor", 1.0},
                           {"original_max_position_embeddings", 8192},
                           {"rope_type", "llama3"}};
  const struct {
    const char* name;
    Json json;
    int64_t parameters;
    std::function<bool(const LlamaConfig&)> holds;
  } cases[] = {
      {"Llama-3.2-1B",
       With(Shape(128256, 2048, 8192, 16, 32, 8), {{"model_type", "llama"},
                                                   {"head_dim", 64},
                                                   {"attention_bias", false},
                                                   {"rope_theta", 500000.0},
                                                   {"rope_scaling", llama_rope},
                                                   {"tie_word_embeddings", true},
                                                   {"rms_norm_eps", 1e-5}}),
       1235814400,
       [](const LlamaConfig& c) { return c.rope_scaling && c.rope_scaling->factor == 32; }},
      {"Llama-3.2-3B",
       With(Shape(128256, 3072, 8192, 28, 24, 8), {{"model_type", "llama"},
                                                   {"head_dim", 128},
                                                   {"rope_theta", 500000.0},
                                                   {"rope_scaling", llama_rope},
                                                   {"tie_word_embeddings", true}}),
       3212749824, [](const LlamaConfig& c) { return c.tied_embeddings && c.head_dim == 128; }},
      {"Qwen2.5-0.5B",
       With(Shape(151936, 896, 4864, 24, 14, 2), {{"model_type", "qwen2"},
                                                  {"architectures", {"Qwen2ForCausalLM"}},
                                                  {"max_window_layers", 24},
                                                  {"rope_theta", 1000000.0},
                                                  {"sliding_window", 32768},
                                                  {"tie_word_embeddings", true},
                                                  {"use_sliding_window", false}}),
       494032768,
       [](const LlamaConfig& c) {
         return c.qkv_bias && !c.qk_norm && c.window == 0 && c.head_dim == 64;
       }},
      {"Qwen3-0.6B",
       With(Shape(151936, 1024, 3072, 28, 16, 8), {{"model_type", "qwen3"},
                                                   {"head_dim", 128},
                                                   {"attention_bias", false},
                                                   {"max_window_layers", 28},
                                                   {"rope_theta", 1000000},
                                                   {"rope_scaling", nullptr},
                                                   {"sliding_window", nullptr},
                                                   {"tie_word_embeddings", true},
                                                   {"use_sliding_window", false}}),
       596049920,
       [](const LlamaConfig& c) { return c.qk_norm && !c.qkv_bias && c.rope_theta == 1e6; }},
      {"Mistral-7B-v0.1",
       With(Shape(32000, 4096, 14336, 32, 32, 8),
            {{"model_type", "mistral"}, {"sliding_window", 4096}, {"rope_theta", 10000.0}}),
       7241732096, [](const LlamaConfig& c) { return c.window == 4096 && !c.tied_embeddings; }},
      {"Mistral-7B-v0.3",
       With(Shape(32768, 4096, 14336, 32, 32, 8),
            {{"model_type", "mistral"}, {"sliding_window", nullptr}, {"rope_theta", 1000000.0}}),
       7248023552, [](const LlamaConfig& c) { return c.window == 0; }},
      {"SmolLM3-3B",
       With(Shape(128256, 2048, 11008, 36, 16, 4), {{"model_type", "smollm3"},
                                                    {"attention_bias", false},
                                                    {"mlp_bias", false},
                                                    {"no_rope_layer_interval", 4},
                                                    {"rope_theta", 5000000.0},
                                                    {"rope_scaling", nullptr},
                                                    {"sliding_window", nullptr},
                                                    {"use_sliding_window", false}}),
       3075098624,
       [](const LlamaConfig& c) {
         return c.Rotates(0) && !c.Rotates(3) && !c.Rotates(35) && c.tied_embeddings &&
                c.window == 0;
       }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto config = ConfigFromJson(c.json.dump(), "config.json");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(Parameters(*config), c.parameters);
    EXPECT_TRUE(c.holds(*config));
    EXPECT_EQ(config->family, *FamilyFromJson(c.json, "c"));
  }
}

Json Tiny(const char* type, const Json& more = Json::object()) {
  Json json = TinyConfigJson();
  json.erase("architectures");
  json["model_type"] = type;
  json.update(more);
  return json;
}

// Values of the configuration classes of transformers 5.23.
TEST(Families, AbsentKeysHaveTheFamilysDefaults) {
  const auto read = [](const char* type, const char* gone) {
    Json json = Tiny(type, {{"num_attention_heads", 32}, {"hidden_size", 128}});
    json.erase(gone);
    const auto config = ConfigFromJson(json.dump(), "config.json");
    EXPECT_TRUE(config.ok()) << config.status();
    return *config;
  };
  EXPECT_EQ(read("mistral", "num_key_value_heads").kv_heads, 8);
  EXPECT_EQ(read("qwen2", "num_key_value_heads").kv_heads, 32);
  EXPECT_EQ(read("smollm3", "num_key_value_heads").kv_heads, 4);
  EXPECT_EQ(read("qwen3", "head_dim").head_dim, 128);
  EXPECT_EQ(read("qwen2", "head_dim").head_dim, 4);
  EXPECT_EQ(read("smollm3", "rope_theta").rope_theta, 2e6);
  EXPECT_EQ(read("qwen3", "rope_theta").rope_theta, 10000);
  EXPECT_TRUE(read("smollm3", "tie_word_embeddings").tied_embeddings);
  EXPECT_FALSE(read("qwen3", "tie_word_embeddings").tied_embeddings);
  EXPECT_EQ(read("mistral", "sliding_window").window, 4096);
  EXPECT_EQ(read("mistral", "max_position_embeddings").max_position, 131072);
  EXPECT_EQ(read("qwen2", "max_position_embeddings").max_position, 32768);
  EXPECT_EQ(read("qwen2", "rms_norm_eps").rms_norm_eps, 1e-6);
  Json none = Tiny("qwen2");
  none["num_key_value_heads"] = nullptr;
  EXPECT_EQ(ConfigFromJson(none.dump(), "c")->kv_heads, 2);
}

TEST(Families, Windows) {
  const Json full = {"full_attention", "full_attention"};
  const Json sliding = {"full_attention", "sliding_attention"};
  const struct {
    Json json;
    int64_t window;
  } cases[] = {
      {Tiny("llama", {{"sliding_window", 7}}), 0},  // transformers does not read it
      {Tiny("mistral", {{"sliding_window", 7}}), 7},
      {Tiny("mistral", {{"sliding_window", nullptr}}), 0},
      {Tiny("qwen2", {{"sliding_window", 7}}), 0},
      {Tiny("qwen2", {{"sliding_window", 7}, {"use_sliding_window", true}}),
       0},  // from layer 28 on
      {Tiny("qwen2",
            {{"sliding_window", 7}, {"use_sliding_window", true}, {"max_window_layers", 1}}),
       7},
      {Tiny("qwen3", {{"use_sliding_window", true}, {"max_window_layers", 0}}), 4096},
      {Tiny("qwen3", {{"sliding_window", 7}, {"use_sliding_window", true}, {"layer_types", full}}),
       0},
      {Tiny("qwen3",
            {{"sliding_window", 7}, {"use_sliding_window", true}, {"layer_types", sliding}}),
       7},
      {Tiny("smollm3", {{"sliding_window", 7}, {"use_sliding_window", true}}), 0},  // all rotate
      {Tiny("smollm3",
            {{"sliding_window", 7}, {"use_sliding_window", true}, {"no_rope_layers", {1, 0}}}),
       7},
      {Tiny("smollm3", {{"use_sliding_window", true}, {"no_rope_layers", {1, 0}}}), 0},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.json.dump());
    const auto config = ConfigFromJson(c.json.dump(), "c");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->window, c.window);
  }
  LlamaConfig config;
  EXPECT_TRUE(CheckWindow(config, 1 << 20, "m").ok());
  config.window = 7;
  EXPECT_TRUE(CheckWindow(config, 7, "m").ok());
  const std::string message(CheckWindow(config, 8, "the/model").message());
  for (const char* part : {"the/model", "7 tokens", "up to 8", "at most 7", "sliding"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST(Families, LayersWithoutPositions) {
  const auto rotates = [](const Json& more) {
    return ConfigFromJson(Tiny("smollm3", more).dump(), "c")->rotates;
  };
  EXPECT_EQ(rotates({{"num_hidden_layers", 5}}),
            (std::vector<bool>{true, true, true, false, true}));
  EXPECT_EQ(rotates({{"no_rope_layer_interval", 2}}), (std::vector<bool>{true, false}));
  EXPECT_EQ(rotates({{"no_rope_layers", {0, 1, 1, 0}}}), (std::vector<bool>{false, true}));
}

TEST(Families, TensorsThatOthersLack) {
  const auto names = [](const char* type) {
    std::set<std::string> found;
    for (const auto& t : NeededTensors(*ConfigFromJson(Tiny(type).dump(), "c"))) {
      found.insert(t.name);
    }
    return found;
  };
  EXPECT_EQ(names("mistral"), names("llama"));
  EXPECT_EQ(names("smollm3"), names("llama"));
  for (const char* name : {"q_proj.bias", "k_proj.bias", "v_proj.bias"}) {
    EXPECT_EQ(names("qwen2").count("model.layers.1.self_attn." + std::string(name)), 1u) << name;
  }
  EXPECT_EQ(names("qwen2").count("model.layers.0.self_attn.o_proj.bias"), 0u);
  EXPECT_EQ(names("qwen3").count("model.layers.0.self_attn.q_norm.weight"), 1u);
  EXPECT_EQ(names("qwen3").size(), names("llama").size() + 4);
}

TEST(Families, RefusesOthersByName) {
  const struct {
    Json json;
    std::vector<const char*> parts;
  } cases[] = {
      {Tiny("gemma3_text"), {"model_type", "\"gemma3_text\"", "llama, mistral, qwen2", "smollm3"}},
      {Tiny("qwen2_moe"), {"\"qwen2_moe\"", "qwen3"}},
      {Tiny("qwen3", {{"architectures", {"Qwen3ForSequenceClassification"}}}),
       {"architectures", "Qwen3ForSequenceClassification", "Qwen3ForCausalLM"}},
      {Tiny("qwen3", {{"attention_bias", true}}), {"attention_bias"}},
      {Tiny("smollm3", {{"mlp_bias", true}}), {"mlp_bias"}},
      {Tiny("qwen2", {{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}}}), {"\"yarn\""}},
      {Tiny("smollm3", {{"no_rope_layers", {1}}}), {"no_rope_layers", "2 numbers"}},
      {Tiny("smollm3", {{"no_rope_layers", {1, 2}}}), {"no_rope_layers[1]", "is 2"}},
      {Tiny("smollm3", {{"no_rope_layers", 3}}), {"no_rope_layers"}},
      {Tiny("smollm3", {{"no_rope_layer_interval", 0}}), {"no_rope_layer_interval", "is 0"}},
      {Tiny("mistral", {{"sliding_window", 0}}), {"sliding_window", "is 0"}},
      {Tiny("mistral", {{"sliding_window", "8"}}), {"sliding_window"}},
      {Tiny("qwen3", {{"layer_types", {"full_attention"}}}), {"layer_types", "2 words"}},
      {Tiny("qwen3", {{"layer_types", {"full_attention", "chunked_attention"}}}),
       {"layer_types", "chunked_attention"}},
      {Tiny("qwen3", {{"layer_types", {"full_attention", "sliding_attention"}}}),
       {"layer_types", "use_sliding_window"}},
      {Tiny("qwen3", {{"use_sliding_window", true}, {"max_window_layers", "1"}}),
       {"max_window_layers"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.json.dump());
    const auto config = ConfigFromJson(c.json.dump(), "the/config.json");
    ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(config.status().message()), HasSubstr("the/config.json"));
    for (const char* part : c.parts) {
      EXPECT_THAT(std::string(config.status().message()), HasSubstr(part));
    }
  }
}

}  // namespace
}  // namespace scm::model
