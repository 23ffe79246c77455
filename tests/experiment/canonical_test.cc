// The canonical JSON: complete, stable, and read back to the same spec.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kFull[] = R"(
name: full
model: {base: m.gguf, fallback: n.gguf}
data: {corpus: corpus/, split: {train: 0.7, validation: 0.2, seed: 9}, max_length: 128,
       packing: false, special_tokens: parse, end_token: false}
lora: {r: 4, alpha: 8.5, dropout: 0, target_modules: [down_proj]}
training: {learning_rate: 1e-3, schedule: cosine, max_steps: 400, warmup_steps: 0, precision: fp32,
           early_stopping: none}
trainer: {parameters: {score_tokens: 512}}
check: {steps: 7}
sweep: {search: asha, rungs: [50, 100], eta: 2, seed: 4, max_trials: 3,
        space: {training.learning_rate: {log_uniform: [1e-5, 1e-3]},
                lora.dropout: {uniform: [0, 0.5]}, lora.r: {int_uniform: [4, 8]},
                training.schedule: {choice: [linear, cosine]}}}
replicate: {seeds: [11, 9223372036854775807]}
abort: {no_convergence: {after_step: 300, min_loss_reduction: 0.1}, below_random: none,
        stalled: none}
budget: {limit: 20, currency: CLP, gpu_hour: {"RTX 4090": 0.4, default: 1}}
timeline: {finish_by: 2026-12-31, max_slip_days: 0.5}
retries: {max: 0}
resources: {gpus: 1, cpus: 4, priority: 0}
evaluation: {tasks: [a, b],
             baselines: [{name: one, model: m.gguf}, {name: two, predictions: p.jsonl}],
             primary: {task: a, baseline: one}, gates: {accuracy: 0.6, p_value: 0.05}}
export: {formats: [merged]}
)";

void ExpectRoundTrip(const std::string& text) {
  const ParsedExperiment parsed = Parse(text);
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  const Json json = SpecToJson(*parsed.spec);
  for (int indent : {-1, 2}) {
    // Another directory: what was made absolute must stay as it is.
    const ParsedExperiment again =
        ParseExperiment(json.dump(indent), {.base_directory = "/elsewhere", .check_paths = false});
    ASSERT_THAT(Lines(again.errors), IsEmpty());
    EXPECT_EQ(SpecToJson(*again.spec).dump(2), json.dump(2));
  }
}

TEST(Canonical, RoundTrips) {
  ExpectRoundTrip(kValid);
  ExpectRoundTrip(kFull);
  ExpectRoundTrip(kValidCustom);
}

// An experiment that an earlier version accepted goes on as it began; a file that a user writes
// today has today's default, as YAML and as JSON.
TEST(Canonical, AStoredSpecWithoutAnEndTokenTrainsNone) {
  Json stored = SpecToJson(*Parse(kValid).spec);
  EXPECT_EQ(stored["data"]["end_token"], true);
  stored["data"].erase("end_token");
  stored["data"].erase("special_tokens");
  const auto parse = [](const Json& json) {
    return ParseExperiment(json.dump(), {.base_directory = "/", .check_paths = false});
  };
  const ParsedExperiment old = parse(stored);
  ASSERT_THAT(Lines(old.errors), IsEmpty());
  EXPECT_FALSE(old.spec->data->end_token);
  EXPECT_EQ(old.spec->data->special_tokens, "text");
  EXPECT_FALSE(ApplyParameters(*old.spec, {{"training.learning_rate", 0.1}})->data->end_token);
  stored.erase("digests");  // only scm writes them
  const ParsedExperiment written = parse(stored);
  ASSERT_THAT(Lines(written.errors), IsEmpty());
  EXPECT_TRUE(written.spec->data->end_token);
}

TEST(Canonical, HoldsTheValuesOfTheFile) {
  const Json json = SpecToJson(*Parse(kFull).spec);
  EXPECT_EQ(json["model"].dump(), R"({"base":"/base/m.gguf","fallback":"/base/n.gguf"})");
  EXPECT_EQ(json["data"]["corpus"], "/base/corpus");
  EXPECT_EQ(json["data"]["split"].dump(),
            R"({"train":0.7,"validation":0.2,"test":0.1,"by":"document","seed":9})");
  EXPECT_EQ(json["data"]["special_tokens"], "parse");
  EXPECT_EQ(json["data"]["end_token"], false);
  EXPECT_EQ(json["lora"]["target_modules"].dump(), R"(["down_proj"])");
  EXPECT_TRUE(json["training"]["early_stopping"].is_null());
  EXPECT_EQ(json["sweep"]["space"].dump(),
            R"({"training.learning_rate":{"log_uniform":[1e-05,0.001]},)"
            R"("lora.dropout":{"uniform":[0.0,0.5]},"lora.r":{"int_uniform":[4,8]},)"
            R"("training.schedule":{"choice":["linear","cosine"]}})");
  EXPECT_EQ(json["replicate"]["seeds"].dump(), "[11,9223372036854775807]");
  EXPECT_TRUE(json["abort"]["below_random"].is_null());
  EXPECT_TRUE(json["abort"]["stalled"].is_null());
  EXPECT_EQ(json["abort"]["non_finite"], true);
  EXPECT_EQ(json["budget"]["gpu_hour"].dump(), R"({"RTX 4090":0.4,"default":1.0})");
  EXPECT_TRUE(json["budget"]["cpu_hour"].is_null());
  EXPECT_EQ(json["timeline"].dump(), R"({"finish_by":"2026-12-31","max_slip_days":0.5})");
  EXPECT_EQ(json["evaluation"]["baselines"][1].dump(),
            R"({"name":"two","model":null,"predictions":"/base/p.jsonl"})");
  EXPECT_TRUE(json["evaluation"]["gates"]["loss_reduction"].is_null());
  EXPECT_EQ(json["export"].dump(), R"({"formats":["merged"]})");
}

TEST(Canonical, WhatIsAbsentIsNull) {
  const Json json = SpecToJson(*Parse(kValid).spec);
  for (const char* section : {"sweep", "budget", "timeline", "evaluation", "export"}) {
    ASSERT_TRUE(json.contains(section)) << section;
    EXPECT_TRUE(json[section].is_null()) << section;
  }
  EXPECT_EQ(json["digests"].dump(), "{}");
}

TEST(OtherTrainer, ItsSectionsPassThroughUnchanged) {
  const std::string text =
      absl::StrCat(kValidCustom, "model: {base: relative/path, weird: [1, 2.5, ~, \"5\", true]}\n",
                   "data: some text\n", "lora: [a, {b: c}]\n");
  const ParsedExperiment parsed = Parse(text);
  ASSERT_THAT(Lines(parsed.errors), IsEmpty());
  EXPECT_FALSE(parsed.spec->model.has_value());
  EXPECT_FALSE(parsed.spec->data.has_value());
  const Json json = SpecToJson(*parsed.spec);
  EXPECT_EQ(json["model"].dump(), R"({"base":"relative/path","weird":[1,2.5,null,"5",true]})");
  EXPECT_EQ(json["data"], "some text");
  EXPECT_EQ(json["lora"].dump(), R"(["a",{"b":"c"}])");
  ExpectRoundTrip(text);
}

TEST(OtherTrainer, OnlyItsFirstWordIsAPath) {
  const auto command_of = [](const std::string& command) {
    return Parse("name: t\ntrainer: {command: " + command + "}\nreplicate: {seeds: [1]}\n")
        .spec->trainer.command;
  };
  EXPECT_THAT(command_of("[python3, dir/train.py, --steps, 100, true]"),
              ElementsAre("python3", "dir/train.py", "--steps", "100", "true"));
  EXPECT_THAT(command_of("[bin/train, a/b]"), ElementsAre("/base/bin/train", "a/b"));
  EXPECT_THAT(command_of("[./train]"), ElementsAre("/base/train"));
  EXPECT_THAT(command_of("[/abs/train]"), ElementsAre("/abs/train"));
}

TEST(OtherTrainer, DoubledKeysInsideAreErrorsStill) {
  EXPECT_THAT(Errors(absl::StrCat(kValidCustom, "model:\n  a: 1\n  a: 2\n")),
              ElementsAre("f:7: model.a: given twice. Remove one"));
}

TEST(Digests, TravelInTheJson) {
  ExperimentSpec spec = *Parse(kValid).spec;
  spec.digests["corpus"] = std::string(64, 'a');
  spec.digests["model"] = std::string(64, '0');  // reads as a number without its quotes
  const ParsedExperiment again = Parse(SpecToJson(spec).dump());
  ASSERT_THAT(Lines(again.errors), IsEmpty());
  EXPECT_EQ(again.spec->digests, spec.digests);

  Json json = SpecToJson(spec);
  json["digests"]["other"] = "x";
  EXPECT_THAT(Errors(json.dump()), ElementsAre(HasSubstr("digests.other: unknown key")));
  json["digests"] = Json{{"corpus", 5}};
  EXPECT_THAT(Errors(json.dump()), ElementsAre(HasSubstr("digests.corpus: expected text")));
}

// The coordinator trusts nothing: what a client could send is judged like a file.
TEST(Canonical, IsValidatedLikeAFile) {
  Json json = SpecToJson(*Parse(kFull).spec);
  json["training"]["batch_size"] = "4";
  json["lora"]["extra"] = 1;
  json["sweep"]["rungs"] = {55};
  EXPECT_THAT(Errors(json.dump()),
              ElementsAre(HasSubstr("f:1: lora.extra: unknown key"),
                          HasSubstr("f:1: training.batch_size: expected a whole number"),
                          HasSubstr("f:1: sweep.rungs: 55 is no validation step")));
}

}  // namespace
}  // namespace scm
