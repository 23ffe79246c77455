#include "tests/trainer/loop/tiny_model.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/rng.h"
#include "gtest/gtest.h"
#include "model/formats/hf_config.h"
#include "model/formats/llama_tensors.h"
#include "model/formats/safetensors_writer.h"
#include "model/tokenize/byte_map.h"

namespace scm::testing {
namespace {

constexpr int kDocuments = 40;
constexpr const char* kJurisdictions[] = {"AR", "CL", "UY", "ES"};

Json TokenizerJson() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[model::MappedFromBytes(std::string(1, static_cast<char>(byte)))] = byte;
  }
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"vocab", vocabulary},
            {"merges", Json::array()}}}};
}

model::LlamaConfig TinyConfig() {
  model::LlamaConfig config;
  config.vocabulary = 256;
  config.hidden = 32;
  config.intermediate = 64;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.tied_embeddings = true;
  config.max_position = 256;
  return config;
}

void Must(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }

Json Item(const std::string& task, int document, int number, const std::string& prompt,
          const Json& choices, const Json& gold) {
  return {{"id", absl::StrCat(task, "-", document, "-", number)},
          {"task", task},
          {"document", absl::StrCat("d-", document)},
          {"prompt", prompt},
          {"choices", choices},
          {"gold", gold},
          {"cluster_id", absl::StrCat("d-", document)},
          {"jurisdiction", kJurisdictions[document % 4]},
          {"as_of", "2026-01-01"}};
}

// Eight random letters, so that prompts of different documents have little in common.
std::string Filler(Philox* rng) {
  std::string word;
  for (int i = 0; i < 8; ++i) word += static_cast<char>('e' + rng->Below(20));
  return word;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = absl::StrCat(base == nullptr ? "/tmp" : base, "/scm-test-XXXXXX");
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() { (void)RemoveRecursively(path_); }

void WriteTinyModel(const std::string& dir, uint64_t seed) {
  Must(MakeDirectories(dir));
  const model::LlamaConfig config = TinyConfig();
  std::map<std::string, std::vector<float>> values;
  std::vector<model::TensorToWrite> tensors;
  uint64_t index = 0;
  for (const model::NeededTensor& tensor : model::NeededTensors(config)) {
    std::vector<float>& data = values[tensor.name];
    Philox rng(seed, "tiny_model", index++);
    const bool norm = tensor.shape.size() == 1;
    for (int64_t i = 0; i < model::ElementCount(tensor.shape); ++i) {
      data.push_back(static_cast<float>((norm ? 1 : 0) + (norm ? 0.05 : 0.2) * rng.Normal()));
    }
    tensors.push_back(model::TensorInMemory(tensor.name, model::SafetensorsType::kF32, tensor.shape,
                                            data.data()));
  }
  Must(model::WriteSafetensors(dir + "/model.safetensors", std::move(tensors)));
  Must(WriteFileAtomically(dir + "/config.json", model::ConfigJsonText(config, "float32")));
  Must(WriteFileAtomically(dir + "/tokenizer.json", TokenizerJson().dump()));
}

void WriteNanModel(const std::string& dir) {
  WriteTinyModel(dir);
  const std::string path = dir + "/model.safetensors";
  absl::StatusOr<std::string> weights = ReadFile(path);
  Must(weights.status());
  const uint32_t not_a_number = 0x7fc00000;
  std::memcpy(weights->data() + weights->size() - 4, &not_a_number, 4);
  Must(WriteFileAtomically(path, *weights));
}

void WriteTinyCorpus(const std::string& dir) {
  std::string documents, letters, digits, sets;
  Philox rng(5, "tiny_corpus");
  for (int d = 0; d < kDocuments; ++d) {
    documents += Json{{"id", absl::StrCat("d-", d)},
                      {"text", absl::StrCat("Documento ", Filler(&rng), " ", Filler(&rng))},
                      {"jurisdiction", kJurisdictions[d % 4]},
                      {"domain", "risk_management"},
                      {"language", "es"},
                      {"source", "made for a test"},
                      {"as_of", "2026-01-01"}}
                     .dump() +
                 "\n";
    for (int i = 0; i < 2; ++i) {
      const int gold = static_cast<int>(rng.Below(3));
      const std::string letter(1, static_cast<char>('A' + gold));
      letters += Item("letters", d, i, absl::StrCat(Filler(&rng), " ", letter, ":"),
                      {"aa", "bb", "cc"}, gold)
                     .dump() +
                 "\n";
    }
    const int gold = static_cast<int>(rng.Below(2));
    digits += Item("digits", d, 0, absl::StrCat(Filler(&rng), " ", gold, "="), {"no", "sí"}, gold)
                  .dump() +
              "\n";
    sets += Item("sets", d, 0, absl::StrCat(Filler(&rng), " +"), {"x", "y", "z"},
                 Json::array({0, 1 + d % 2}))
                .dump() +
            "\n";
  }
  for (const char* folder : {"/documents", "/items"}) Must(MakeDirectories(dir + folder));
  Must(WriteFileAtomically(dir + "/documents/all.jsonl", documents));
  Must(WriteFileAtomically(dir + "/items/letters.jsonl", letters));
  Must(WriteFileAtomically(dir + "/items/digits.jsonl", digits));
  Must(WriteFileAtomically(dir + "/items/sets.jsonl", sets));
  Must(WriteFileAtomically(dir + "/corpus.json",
                           R"({"name": "tiny", "demonstration": true, "note": "for tests"})"));
}

Json TinySpec(const std::string& root, const std::string& kind, const std::string& work_dir) {
  return {
      {"protocol", 1},
      {"experiment", {{"id", "e-1"}, {"name", "tiny"}}},
      {"task", {{"id", "k-1"}, {"kind", kind}}},
      {"run", {{"id", "r-1"}, {"trial", "t-1"}, {"seed", 11}}},
      {"attempt", 1},
      {"parameters",
       {{"model", {{"base", root + "/model"}}},
        {"data",
         {{"corpus", root + "/corpus"},
          {"split",
           {{"train", 0.6}, {"validation", 0.2}, {"test", 0.2}, {"by", "document"}, {"seed", 1}}},
          {"max_length", 64},
          {"packing", false}}},
        {"lora",
         {{"r", 4}, {"alpha", 8}, {"dropout", 0.1}, {"target_modules", {"q_proj", "v_proj"}}}},
        {"training",
         {{"learning_rate", 0.01},
          {"warmup_steps", 2},
          {"batch_size", 4},
          {"gradient_accumulation", 1},
          {"early_stopping", nullptr},
          {"precision", "fp32"}}},
        {"evaluation", {{"tasks", {"letters", "digits", "sets"}}}},
        {"export", {{"formats", {"peft", "merged"}}}}}},
      {"max_steps", 12},
      {"stop_at_step", 12},
      {"save_steps", 4},
      {"eval_steps", 3},
      {"resume_from", nullptr},
      {"inputs", Json::array()},
      {"work_dir", absl::StrCat(root, "/", work_dir)},
      {"resources", {{"cpus", 1}, {"gpus", Json::array()}}}};
}

}  // namespace scm::testing
