// Adapters and checkpoints on disk, with the real model.
#include "common/files.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sub.h>

#include <cmath>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/files_fixture.h"
#include "trainer/export/merge.h"
#include "trainer/loop/adapter_file.h"
#include "trainer/loop/adapter_readme.h"
#include "trainer/loop/checkpoint_io.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;

TEST_F(Files, AdapterComesBackAsItWasWritten) {
  const auto other = LoadTiny(root() + "/model");
  const absl::Status loaded = LoadAdapter(root() + "/adapter", other.get());
  ASSERT_TRUE(loaded.ok()) << loaded;
  ASSERT_EQ(other->adapters().size(), 4u);
  for (size_t i = 0; i < other->adapters().size(); ++i) {
    EXPECT_TRUE(at::equal(other->adapters()[i].a, model_->adapters()[i].a));
    EXPECT_TRUE(at::equal(other->adapters()[i].b, model_->adapters()[i].b));
  }
  const auto file = OpenAdapter(root() + "/adapter", model_->config());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->config.r, 4);
  EXPECT_EQ(file->config.alpha, 8);
  EXPECT_EQ(file->config.target_modules, config_.target_modules);
  EXPECT_EQ(file->config.only.size(), 4u);
}

// Whatever an experiment may train by, its adapter is read again.
TEST_F(Files, AdaptersOfExtremeExperimentsAreRead) {
  const std::pair<const char*, double> extremes[] = {
      {"lora_dropout", 0.9995}, {"lora_alpha", 1e13}, {"lora_alpha", 5e-324}};
  for (const auto& [key, value] : extremes) {
    ChangeConfig(key, value);
    const auto file = OpenAdapter(root() + "/adapter", model_->config());
    EXPECT_TRUE(file.ok()) << key << " " << value << ": " << file.status();
  }
}

TEST_F(Files, RefusesAdaptersItWouldMisread) {
  const std::pair<const char*, Json> changes[] = {{"use_dora", true},
                                                  {"use_rslora", 5},
                                                  {"peft_type", "IA3"},
                                                  {"bias", "all"},
                                                  {"rank_pattern", {{"q_proj", 8}}},
                                                  {"rank_pattern", {{"q_proj", 0}}},
                                                  {"rank_pattern", {{"q_proj(", 4}}},
                                                  {"rank_pattern", 3},
                                                  {"alpha_pattern", {{"q_proj", -1}}},
                                                  {"alpha_pattern", {{"q_proj", "4"}}},
                                                  {"modules_to_save", {"lm_head"}},
                                                  {"target_modules", "all-linear"},
                                                  {"target_modules", "("},
                                                  {"target_modules", Json::array()},
                                                  {"target_modules", {"lm_head"}},
                                                  {"target_modules", 3},
                                                  {"init_lora_weights", "pissa"},
                                                  {"init_lora_weights", "pissa_niter_16"},
                                                  {"init_lora_weights", "OLoRA"},
                                                  {"init_lora_weights", "corda"},
                                                  {"init_lora_weights", "loftq"},
                                                  {"alora_invocation_tokens", {5, 6}},
                                                  {"use_qalora", true},
                                                  {"a_later_invention", 1},
                                                  {"r", 0}};
  for (const auto& [key, value] : changes) {
    SCOPED_TRACE(Json({{key, value}}).dump());
    ChangeConfig(key, value);
    for (const absl::Status& status : {Scored(), Merged()}) {
      ASSERT_FALSE(status.ok());
      EXPECT_THAT(std::string(status.message()), HasSubstr(key));
    }
  }
}

// What peft reads the same way, whoever reads it here.
TEST_F(Files, AcceptsWhatMeansTheSame) {
  const std::pair<const char*, Json> changes[] = {
      {"init_lora_weights", "gaussian"},
      {"init_lora_weights", nullptr},
      {"init_lora_weights", "orthogonal"},
      {"init_lora_weights", "eva"},
      {"peft_version", "0.21.2"},
      {"target_modules", R"(.*\.(q|down)_proj)"},
      {"target_modules", {"self_attn.q_proj", "mlp.down_proj", "no_such_module"}},
      {"target_modules",
       {"model.layers.1.mlp.down_proj", "model.layers.0.self_attn.q_proj",
        "model.layers.0.mlp.down_proj", "model.layers.1.self_attn.q_proj"}}};
  for (const auto& [key, value] : changes) {
    SCOPED_TRACE(Json({{key, value}}).dump());
    ChangeConfig(key, value);
    EXPECT_EQ(Scored(), absl::OkStatus());
    EXPECT_EQ(Merged(), absl::OkStatus());
  }
}

// Both are 8 in peft.
TEST_F(Files, AbsentNumbersArePeftsDefaults) {
  const std::string path = root() + "/adapter/adapter_config.json";
  Json config = *ParseJson(ReadFile(path).value(), path);
  config.erase("lora_alpha");
  ASSERT_TRUE(WriteFileAtomically(path, config.dump()).ok());
  const auto file = OpenAdapter(root() + "/adapter", model_->config());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->config.alpha, 8);
  config.erase("r");
  ASSERT_TRUE(WriteFileAtomically(path, config.dump()).ok());
  EXPECT_THAT(std::string(Scored().message()), HasSubstr("shape [4, 32], but"));
  EXPECT_THAT(std::string(Scored().message()), HasSubstr("[8, 32]"));
}

// A pair too few or too many, to score as to merge; each message names both files.
TEST_F(Files, RefusesAdaptersWhoseFilesDisagree) {
  const struct {
    Json targets;
    const char* message;
  } cases[] = {{Json::array({"q_proj", "down_proj", "up_proj"}), "there is no tensor"},
               {Json::array({"q_proj"}), "holds the tensor"},
               {Json::array({"model.layers.0.self_attn.q_proj", "down_proj"}), "holds the tensor"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.targets.dump());
    ChangeConfig("target_modules", c.targets);
    for (const absl::Status& status : {Scored(), Merged()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
      EXPECT_THAT(std::string(status.message()), HasSubstr("adapter_model.safetensors"));
      EXPECT_THAT(std::string(status.message()), HasSubstr("adapter_config.json"));
    }
  }
}

// An adapter of some layers only scores as its merged model does.
TEST_F(Files, AnAdapterMayLeaveLayersOut) {
  LoraConfig some = config_;
  some.only = {"model.layers.1.self_attn.q_proj", "model.layers.0.mlp.down_proj"};
  ASSERT_TRUE(model_->AddLora(some, 7).ok());
  ASSERT_EQ(model_->adapters().size(), 2u);
  RandomizeAdapters(model_.get());
  ASSERT_TRUE(WriteAdapter(root() + "/adapter", config_, "base", model_.get()).ok());
  ChangeConfig("target_modules", Json(some.only));
  ASSERT_EQ(Merged(), absl::OkStatus());
  const auto other = LoadTiny(root() + "/model");
  const absl::Status loaded = LoadAdapter(root() + "/adapter", other.get());
  ASSERT_TRUE(loaded.ok()) << loaded;
  const at::Tensor expected = LoadTiny(root() + "/merged")->Logits(SmallBatch()).value();
  const at::Tensor found = other->Logits(SmallBatch()).value();
  EXPECT_LT(at::sub(expected, found).abs().max().item<double>(), 1e-4);
  other->EnableAdapters(false);
  EXPECT_GT(at::sub(expected, other->Logits(SmallBatch()).value()).abs().max().item<double>(),
            1e-2);
}

// Ranks and scales of single modules come back, score as they merge, and mean the same to peft.
TEST_F(Files, ModulesMayHaveRanksAndAlphasOfTheirOwn) {
  LoraConfig some = config_;
  some.use_rslora = true;
  some.rank_pattern = {{"0.self_attn.q_proj", 7}, {"down_proj", 2}};
  some.alpha_pattern = {{"1.mlp.down_proj", 3}};
  ASSERT_TRUE(model_->AddLora(some, 7).ok());
  const std::vector<AdapterPair>& pairs = model_->adapters();
  ASSERT_EQ(pairs.size(), 4u);
  const double scales[] = {8 / std::sqrt(7.0), 8 / std::sqrt(2.0), 8 / 2.0, 3 / std::sqrt(2.0)};
  const int64_t ranks[] = {7, 2, 4, 2};
  for (size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(pairs[i].scale, scales[i]) << pairs[i].name;
    EXPECT_EQ(pairs[i].a.size(0), ranks[i]) << pairs[i].name;
    EXPECT_EQ(pairs[i].b.size(1), ranks[i]) << pairs[i].name;
  }
  RandomizeAdapters(model_.get());
  ASSERT_TRUE(WriteAdapter(root() + "/adapter", some, "base", model_.get()).ok());
  const Json written = *ParseJson(ReadFile(root() + "/adapter/adapter_config.json").value(), "");
  EXPECT_EQ(written["use_rslora"], true);
  EXPECT_EQ(written["rank_pattern"].dump(), R"({"0.self_attn.q_proj":7,"down_proj":2})");
  EXPECT_EQ(written["alpha_pattern"].dump(), R"({"1.mlp.down_proj":3.0})");
  ASSERT_EQ(Merged(), absl::OkStatus());
  const auto other = LoadTiny(root() + "/model");
  const absl::Status loaded = LoadAdapter(root() + "/adapter", other.get());
  ASSERT_TRUE(loaded.ok()) << loaded;
  const at::Tensor expected = model_->Logits(SmallBatch()).value();
  EXPECT_TRUE(at::equal(expected, other->Logits(SmallBatch()).value()));
  const at::Tensor merged = LoadTiny(root() + "/merged")->Logits(SmallBatch()).value();
  EXPECT_LT(at::sub(expected, merged).abs().max().item<double>(), 1e-4);
}

// lora.init must be what the experiment trains: modules, ranks and scales, whatever they are
// written as.
TEST_F(Files, AStartIsAnAdapterOfTheSameShape) {
  LoraSpec spec;
  spec.init = root() + "/adapter";
  spec.r = 4;
  spec.alpha = 8;
  spec.target_modules = {"down_proj", "q_proj"};
  const auto says = [&] {
    return std::string(OpenInit(spec, model_->config()).status().message());
  };
  EXPECT_EQ(says(), "");
  spec.use_rslora = true;
  spec.alpha = 4;  // 4 / √4 is 8 / 4
  EXPECT_EQ(says(), "");
  spec.alpha = 8;
  EXPECT_THAT(says(), HasSubstr("init: "));
  EXPECT_THAT(says(), HasSubstr("write lora: {r: 4, alpha: 8, target_modules: [q_proj, "
                                "down_proj]}"));
  spec.use_rslora = false;
  spec.rank_pattern = {{"q_proj", 2}};
  EXPECT_THAT(says(), HasSubstr("other modules, ranks or scales"));
  spec.rank_pattern.clear();
  spec.target_modules = {"q_proj"};
  EXPECT_THAT(says(), HasSubstr("other modules, ranks or scales"));
  ChangeConfig("use_dora", true);
  EXPECT_THAT(says(), HasSubstr("use_dora"));
}

TEST_F(Files, AStartIsInEveryLayer) {
  LoraConfig some = config_;
  some.only = {"model.layers.1.self_attn.q_proj", "model.layers.0.mlp.down_proj"};
  ASSERT_TRUE(model_->AddLora(some, 7).ok());
  ASSERT_TRUE(WriteAdapter(root() + "/adapter", config_, "base", model_.get()).ok());
  ChangeConfig("target_modules", Json(some.only));
  LoraSpec spec;
  spec.init = root() + "/adapter";
  spec.r = 4;
  spec.alpha = 8;
  spec.target_modules = config_.target_modules;
  EXPECT_THAT(std::string(OpenInit(spec, model_->config()).status().message()),
              HasSubstr("adapts 2 of the 4 matrices called"));
}

// What stands in the folder says how to open it, and why not where a GGUF file is the base.
TEST_F(Files, TheReadmeSaysHowToOpenTheAdapter) {
  const std::string readme = ReadFile(root() + "/adapter/README.md").value();
  EXPECT_THAT(readme, HasSubstr("AutoPeftModelForCausalLM.from_pretrained"));
  const std::string gguf = AdapterReadme("/models/x.gguf");
  EXPECT_THAT(gguf, HasSubstr("cannot open this adapter by itself"));
  EXPECT_THAT(gguf, HasSubstr("from_pretrained(\"/models\", gguf_file=\"x.gguf\")"));
}

TEST_F(Files, RefusesAnAdapterOfAnotherShape) {
  const auto other = LoadTiny(root() + "/model");
  LoraConfig larger = config_;
  larger.r = 8;
  ASSERT_TRUE(other->AddLora(larger, 1).ok());
  const absl::Status status = ReadAdapterWeights(root() + "/adapter", other.get());
  EXPECT_THAT(std::string(status.message()), HasSubstr("has shape [4, 32], expected [8, 32]"));
  LoraConfig fewer = config_;
  fewer.target_modules = {"q_proj"};
  ASSERT_TRUE(other->AddLora(fewer, 1).ok());
  EXPECT_EQ(ReadAdapterWeights(root() + "/adapter", other.get()).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(Files, CheckpointComesBackBitForBit) {
  AdamW optimizer(model_->adapters(), {});
  Philox rng(9, "moments");
  for (AdamW::Slot& slot : optimizer.slots()) {
    slot.exp_avg.fill_(rng.Normal());
    slot.exp_avg_sq.fill_(rng.Uniform());
  }
  CheckpointWriter writer(root() + "/work", config_, "base", model_.get());
  TrainingState state;
  state.step = 40;
  state.cursor = {3, 17};
  state.fingerprint = "f";
  state.best_loss = 0.1 + 0.2;
  for (int repeat = 0; repeat < 2; ++repeat) {  // the second replaces the first
    const auto dir = writer.Save(state, optimizer);
    ASSERT_TRUE(dir.ok()) << dir.status();
    EXPECT_EQ(*dir, root() + "/work/checkpoints/step-40");
  }
  EXPECT_EQ(ListDirectory(root() + "/work/checkpoints").value(),
            std::vector<std::string>{"step-40"});
  const auto other = LoadTiny(root() + "/model");
  ASSERT_TRUE(other->AddLora(config_, 99).ok());
  AdamW fresh(other->adapters(), {});
  const auto read = ReadCheckpoint(root() + "/work/checkpoints/step-40", other.get(), &fresh);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(TrainingStateToJson(*read).dump(), TrainingStateToJson(state).dump());
  for (size_t i = 0; i < fresh.slots().size(); ++i) {
    EXPECT_TRUE(at::equal(*fresh.slots()[i].parameter, *optimizer.slots()[i].parameter));
    EXPECT_TRUE(at::equal(fresh.slots()[i].exp_avg, optimizer.slots()[i].exp_avg));
    EXPECT_TRUE(at::equal(fresh.slots()[i].exp_avg_sq, optimizer.slots()[i].exp_avg_sq));
  }
}

}  // namespace
}  // namespace scm::trainer
