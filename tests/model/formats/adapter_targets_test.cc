#include "model/formats/adapter_targets.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two layers; names by what peft's rules find among them.
TEST(AdaptedModules, FollowPeftsRules) {
  const std::string q0 = "model.layers.0.self_attn.q_proj", q1 = "model.layers.1.self_attn.q_proj";
  const std::string v0 = "model.layers.0.self_attn.v_proj", v1 = "model.layers.1.self_attn.v_proj";
  const struct {
    Json targets;
    std::vector<std::string> modules;
  } cases[] = {
      {nullptr, {q0, v0, q1, v1}},
      {Json::array({"q_proj"}), {q0, q1}},
      {Json::array({"v_proj", "q_proj", "c_attn"}), {q0, v0, q1, v1}},
      {Json::array({"self_attn.q_proj"}), {q0, q1}},
      {Json::array({"0.self_attn.q_proj"}), {q0}},
      {Json::array({q1, v0}), {v0, q1}},
      {"model.layers.0.self_attn.q_proj", {q0}},
      {R"(.*\.1\..*(q|v)_proj)", {q1, v1}},
      {R"((?P<all>.*)q_proj$)", {q0, q1}},
  };
  for (const auto& c : cases) {
    const auto modules = AdaptedModules(c.targets, TinyConfig());
    ASSERT_TRUE(modules.ok()) << modules.status();
    EXPECT_EQ(*modules, c.modules) << c.targets.dump();
  }
  EXPECT_EQ(AdaptedModules("ALL-linear", TinyConfig())->size(), 14u);
}

TEST(AdaptedModules, RefusesWhatIsNotAdaptedHere) {
  const std::pair<Json, const char*> cases[] = {
      {Json::array(), "names no module"},
      {Json::array({"_proj"}), "names no module"},  // no whole part of a name
      {"q_proj", "names no module"},                // an expression means the whole name
      {Json::array({"lm_head"}), "adapts lm_head"},
      {Json::array({"q_proj", "embed_tokens"}), "adapts model.embed_tokens"},
      {".*", "adapts lm_head"},
      {"(q_proj", "no valid expression"},
      {7, "expected a list"},
      {Json::array({1}), "expected texts"},
      {std::string(70000, 'a'), "too long"},
      {"(?:.|.)*[A-Z]", "takes too long"},
  };
  for (const auto& [targets, message] : cases) {
    const auto modules = AdaptedModules(targets, TinyConfig());
    ASSERT_EQ(modules.status().code(), absl::StatusCode::kInvalidArgument) << message;
    EXPECT_THAT(std::string(modules.status().message()), HasSubstr(message));
    EXPECT_THAT(std::string(modules.status().message()), HasSubstr("target_modules"));
  }
}

}  // namespace
}  // namespace scm::model
