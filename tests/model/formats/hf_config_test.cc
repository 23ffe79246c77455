#include "model/formats/hf_config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

Json Llama3Rope() {
  return {{"rope_type", "llama3"},
          {"factor", 32.0},
          {"low_freq_factor", 1.0},
          {"high_freq_factor", 4.0},
          {"original_max_position_embeddings", 8192}};
}

TEST(HuggingFaceConfig, ReadsPlainForm) {
  const auto c = ConfigFromJson(TinyConfigJson(false).dump(), "config.json");
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->vocabulary, 300);
  EXPECT_EQ(c->head_dim, 4);
  EXPECT_EQ(c->kv_heads, 1);
  EXPECT_EQ(c->max_position, 64);
  EXPECT_EQ(c->bos_token, 262);
  EXPECT_FALSE(c->tied_embeddings);
  EXPECT_FALSE(c->rope_scaling.has_value());
}

TEST(HuggingFaceConfig, BothFormsOfRopeMeanTheSame) {
  Json four = TinyConfigJson(), five = TinyConfigJson(), old = TinyConfigJson();
  four["rope_theta"] = 500000.0;
  four["rope_scaling"] = Llama3Rope();
  five.erase("rope_theta");
  five["rope_parameters"] = Llama3Rope();
  five["rope_parameters"]["rope_theta"] = 500000.0;
  old["rope_theta"] = 500000.0;
  old["rope_scaling"] = Llama3Rope();
  old["rope_scaling"].erase("rope_type");
  old["rope_scaling"]["type"] = "llama3";
  for (const Json& json : {four, five, old}) {
    const auto c = ConfigFromJson(json.dump(), "config.json");
    ASSERT_TRUE(c.ok()) << c.status();
    EXPECT_EQ(c->rope_theta, 500000.0);
    ASSERT_TRUE(c->rope_scaling.has_value());
    EXPECT_EQ(c->rope_scaling->factor, 32);
    EXPECT_EQ(c->rope_scaling->original_max_position, 8192);
  }
  five["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 20000}};
  EXPECT_EQ(ConfigFromJson(five.dump(), "c")->rope_theta, 20000);
}

TEST(HuggingFaceConfig, TwoRopeKeysMustAgree) {
  Json both = TinyConfigJson();
  both["rope_theta"] = 500000.0;
  both["rope_scaling"] = Llama3Rope();
  both["rope_parameters"] = Llama3Rope();
  both["rope_parameters"]["rope_theta"] = 500000.0;
  ASSERT_TRUE(ConfigFromJson(both.dump(), "c").ok());
  const auto refused = [](Json json, const char* key, const Json& value,
                          const std::vector<const char*>& parts) {
    json[Json::json_pointer(key)] = value;
    const auto config = ConfigFromJson(json.dump(), "config.json");
    ASSERT_FALSE(config.ok()) << json.dump();
    for (const char* part : parts) {
      EXPECT_THAT(std::string(config.status().message()), HasSubstr(part));
    }
  };
  refused(both, "/rope_scaling/factor", 8.0, {"rope_scaling", "rope_parameters", "8.0", "32"});
  refused(both, "/rope_scaling", {{"rope_type", "default"}}, {"rope_scaling", "rope_parameters"});
  refused(both, "/rope_parameters/rope_theta", 10000.0, {"rope_theta", "500000.0", "10000.0"});
  refused(both, "/rope_scaling/rope_theta", 10000.0, {"rope_theta", "500000.0", "10000.0"});
  refused(both, "/rope_scaling/type", "linear", {"rope_type", "llama3", "linear"});
  refused(both, "/original_max_position_embeddings", 4096,
          {"original_max_position_embeddings", "4096", "8192"});
  refused(both, "/rope_scaling/partial_rotary_factor", 0.5, {"partial_rotary_factor"});
  refused(both, "/rope_scaling/full_attention", {{"rope_type", "default"}},
          {"rope_scaling.full_attention"});
  // The base of transformers' default, where the legacy key hides the other one's.
  both.erase("rope_theta");
  refused(both, "/mlp_bias", false, {"rope_scaling", "rope_parameters", "500000.0"});
  // An empty section says nothing.
  both["rope_scaling"] = Json::object();
  EXPECT_EQ(ConfigFromJson(both.dump(), "c")->rope_theta, 500000.0);
}

TEST(HuggingFaceConfig, StopTokensAreAllOfThem) {
  Json json = TinyConfigJson();
  json["eos_token_id"] = {5, 6, 7};
  EXPECT_EQ(ConfigFromJson(json.dump(), "c")->stop_tokens, (std::vector<int64_t>{5, 6, 7}));
  EXPECT_THAT(StopTokensFromJson(Json::object()), ::testing::IsEmpty());
}

TEST(HuggingFaceConfig, OptionalKeysHaveTransformersDefaults) {
  Json json = TinyConfigJson();
  for (const char* key : {"num_key_value_heads", "rms_norm_eps", "rope_theta",
                          "tie_word_embeddings", "bos_token_id", "architectures", "hidden_act"}) {
    json.erase(key);
  }
  json["head_dim"] = 6;
  json["eos_token_id"] = {5, 6, 7};
  const auto c = ConfigFromJson(json.dump(), "config.json");
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->kv_heads, 2);
  EXPECT_EQ(c->head_dim, 6);
  EXPECT_EQ(c->rms_norm_eps, 1e-6);
  EXPECT_EQ(c->rope_theta, 10000);
  EXPECT_FALSE(c->tied_embeddings);
  EXPECT_EQ(c->bos_token, -1);
  EXPECT_EQ(c->eos_token, 5);
}

TEST(HuggingFaceConfig, RefusesWhatItCannotHonour) {
  const auto rope = [](const char* key, Json value) {
    Json json = Llama3Rope();
    json[key] = std::move(value);
    return json;
  };
  const struct {
    const char* key;
    Json value;
    const char* message;
  } cases[] = {
      {"model_type", "qwen2", "\"qwen2\""},
      {"model_type", nullptr, "model_type"},
      {"architectures", Json::array({"LlamaForSequenceClassification"}), "architectures"},
      {"attention_bias", true, "attention_bias"},
      {"mlp_bias", true, "mlp_bias"},
      {"hidden_act", "gelu", "\"gelu\""},
      {"quantization_config", {{"bits", 4}}, "quantization_config"},
      {"partial_rotary_factor", 0.5, "partial_rotary_factor"},
      {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}, "\"yarn\""},
      {"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}, "\"linear\""},
      {"rope_parameters", {{"rope_type", "dynamic"}}, "rope_parameters.rope_type: \"dynamic\""},
      {"rope_scaling", "llama3", "expected an object"},
      {"rope_scaling", rope("factor", nullptr), "rope_scaling.factor"},
      {"rope_scaling", rope("factor", 0), "rope_scaling.factor"},
      {"rope_scaling", rope("low_freq_factor", 4.0), "low_freq_factor"},
      {"rope_scaling", rope("original_max_position_embeddings", 0.5), "original_max_position"},
      {"rope_scaling", rope("original_max_position_embeddings", 0), "original_max_position"},
      {"rope_theta", "10000", "rope_theta"},
      {"hidden_size", nullptr, "hidden_size"},
      {"hidden_size", 8.5, "hidden_size"},
      {"hidden_size", 9, "does not divide"},
      {"num_attention_heads", 0, "num_attention_heads"},
      {"num_hidden_layers", 1000000, "num_hidden_layers"},
      {"vocab_size", 18446744073709551615ull, "vocab_size"},
      {"head_dim", 5, "head_dim"},
  };
  for (const auto& c : cases) {
    Json json = TinyConfigJson();
    json[c.key] = c.value;
    SCOPED_TRACE(json.dump());
    const auto config = ConfigFromJson(json.dump(), "the/config.json");
    ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(config.status().message()), HasSubstr("the/config.json"));
    EXPECT_THAT(std::string(config.status().message()), HasSubstr(c.message));
  }
  for (const char* text : {"", "[]", "3", "{", "{\"a\":1,\"a\":2}"}) {
    EXPECT_FALSE(ConfigFromJson(text, "c").ok()) << text;
  }
}

TEST(HuggingFaceConfig, WrittenConfigIsReadBack) {
  LlamaConfig c = TinyConfig();
  c.rope_scaling = RopeScaling{8, 1, 4, 8192};
  c.bos_token = -1;
  const auto back = ConfigFromJson(ConfigJsonText(c, "bfloat16"), "config.json");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->hidden, c.hidden);
  EXPECT_EQ(back->head_dim, c.head_dim);
  EXPECT_EQ(back->kv_heads, c.kv_heads);
  EXPECT_EQ(back->rms_norm_eps, c.rms_norm_eps);
  EXPECT_EQ(back->tied_embeddings, c.tied_embeddings);
  EXPECT_EQ(back->bos_token, -1);
  EXPECT_EQ(back->eos_token, c.eos_token);
  ASSERT_TRUE(back->rope_scaling.has_value());
  EXPECT_EQ(back->rope_scaling->factor, 8);
}

}  // namespace
}  // namespace scm::model
