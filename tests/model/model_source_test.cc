#include "model/model_source.h"

#include <filesystem>
#include <functional>

#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/formats/llama_tensors.h"
#include "model/formats/rope_factors.h"
#include "model/open_model.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kPointer[] =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

// As training and the checks at submission open a model.
absl::Status OpenWithTokenizer(const std::string& path) {
  const auto model = OpenModel(path);
  return model.ok() ? (*model)->MakeTokenizer().status() : model.status();
}

void ExpectTinyWeights(const ModelSource& model, bool tied) {
  const auto weights = TinyWeights(TinyConfig(tied));
  ASSERT_EQ(model.tensors().size(), weights.size());
  for (const TensorInfo& tensor : model.tensors()) {
    ASSERT_TRUE(weights.contains(tensor.name)) << tensor.name;
    std::vector<float> values(ElementCount(tensor.shape));
    ASSERT_TRUE(model.ReadFloat32(tensor.name, values.data()).ok());
    EXPECT_EQ(values, weights.at(tensor.name)) << tensor.name;
  }
  float x;
  const absl::Status missing = model.ReadFloat32("no.such.tensor", &x);
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("no.such.tensor"));
}

TEST(OpenModel, HuggingFaceDirectory) {
  for (const bool tied : {true, false}) {
    const TemporaryDirectory directory;
    WriteTinyModel(directory, tied);
    const auto model = OpenModel(directory.path());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->path(), directory.path());
    EXPECT_EQ((*model)->config().tied_embeddings, tied);
    ExpectTinyWeights(**model, tied);
    const auto tokenizer = (*model)->MakeTokenizer();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ((*tokenizer)->bos_token(), 262);
    EXPECT_EQ(OpenWithTokenizer(directory.path()), absl::OkStatus());
  }
}

// The permuted rows of q and k, and everything else, come out as in the Hugging Face directory.
TEST(OpenModel, GgufFile) {
  for (const bool tied : {true, false}) {
    const TemporaryDirectory directory;
    directory.Write("tiny.gguf", TinyGguf(tied).Build());
    const auto model = OpenModel(directory.Path("tiny.gguf"));
    ASSERT_TRUE(model.ok()) << model.status();
    const LlamaConfig& c = (*model)->config();
    EXPECT_EQ(c.tied_embeddings, tied);
    EXPECT_EQ(c.head_dim, 4);
    EXPECT_EQ(c.max_position, 64);
    EXPECT_EQ(c.eos_token, 263);
    ExpectTinyWeights(**model, tied);
    const auto tokenizer = (*model)->MakeTokenizer();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ((*tokenizer)->vocabulary_size(), 264);
  }
}

TEST(OpenModel, GgufRopeFactorsBecomeTheScaling) {
  const std::vector<double> exact = RopeFactors(RopeScaling{32, 1, 4, 32}, 10000, 4);
  const std::vector<float> factors(exact.begin(), exact.end());
  const TemporaryDirectory directory;
  GgufBuilder builder = TinyGguf();
  builder.Uint32("llama.rope.scaling.original_context_length", 32)
      .Tensor("rope_freqs.weight", {2}, 0, Floats(factors));
  directory.Write("scaled.gguf", builder.Build());
  const auto model = OpenModel(directory.Path("scaled.gguf"));
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE((*model)->config().rope_scaling.has_value());
  EXPECT_EQ((*model)->config().rope_scaling->factor, 32);
  ExpectTinyWeights(**model, true);  // the factors are no tensor of the model
}

TEST(OpenModel, GgufRefusals) {
  const struct {
    const char* name;
    std::function<void(GgufBuilder&)> change;
    const char* message;
  } cases[] = {
      {"experts", [](GgufBuilder& b) { b.Uint32("llama.expert_count", 8); }, "experts"},
      {"yarn", [](GgufBuilder& b) { b.String("llama.rope.scaling.type", "yarn"); }, "\"yarn\""},
      {"linear", [](GgufBuilder& b) { b.Float32("llama.rope.scale_linear", 2); }, "scale_linear"},
      {"value length", [](GgufBuilder& b) { b.Uint32("llama.attention.value_length", 6); },
       "differ"},
      {"partial rotation", [](GgufBuilder& b) { b.Uint32("llama.rope.dimension_count", 2); },
       "differ"},
      {"strange factors",
       [](GgufBuilder& b) {
         b.Tensor("rope_freqs.weight", {2}, 0, Floats({3, 5}));
       },
       "rope_freqs.weight"},
      {"factors of another shape",
       [](GgufBuilder& b) {
         b.Tensor("rope_freqs.weight", {3}, 0, Floats({1, 1, 1}));
       },
       "rope_freqs.weight"},
      {"negative factors",
       [](GgufBuilder& b) {
         b.Uint32("llama.rope.scaling.original_context_length", 1)
             .Tensor("rope_freqs.weight", {2}, 0, Floats({-3, -3}));
       },
       "rope_freqs.weight"},
      {"no original length",
       [](GgufBuilder& b) {
         b.Uint32("llama.rope.scaling.original_context_length", 0)
             .Tensor("rope_freqs.weight", {2}, 0, Floats({3, 3}));
       },
       "original_context_length is 0"},
      // Which shape would hold for a reader that goes by the list of tensors?
      {"both spellings of a name",
       [](GgufBuilder& b) { b.Tensor("model.norm.weight", {8}, 0, std::string(32, 'x')); },
       "model.norm.weight (\"model.norm.weight\") is there twice"},
      {"bias", [](GgufBuilder& b) { b.Tensor("blk.0.attn_q.bias", {8}, 0, std::string(32, 'x')); },
       "blk.0.attn_q.bias"},
      {"factor without a type", [](GgufBuilder& b) { b.Float32("llama.rope.scaling.factor", 4); },
       "llama.rope.scaling.factor is 4 without llama.rope.scaling.type"},
      {"adapter", [](GgufBuilder& b) { b.String("general.type", "adapter"); }, "is an adapter"},
      {"projector", [](GgufBuilder& b) { b.String("general.type", "mmproj"); }, "\"mmproj\""},
      {"part", [](GgufBuilder& b) { b.Uint32("split.count", 3).Uint32("split.no", 1); },
       "is part 2 of 3 of a split model"},
      {"wrong type of number", [](GgufBuilder& b) { b.String("llama.attention.key_length", "4"); },
       "key_length"},
  };
  const TemporaryDirectory directory;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    GgufBuilder builder = TinyGguf();
    c.change(builder);
    directory.Write("m.gguf", builder.Build());
    const auto model = OpenModel(directory.Path("m.gguf"));
    ASSERT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(model.status().message()), HasSubstr("m.gguf"));
    EXPECT_THAT(std::string(model.status().message()), HasSubstr(c.message));
  }
  directory.Write("m.gguf", GgufBuilder().String("general.architecture", "qwen2").Build());
  EXPECT_THAT(std::string(OpenModel(directory.Path("m.gguf")).status().message()),
              HasSubstr("\"qwen2\""));
}

// A directory in which one thing has been changed.
struct Change {
  const char* name;
  std::function<void(const TemporaryDirectory&)> change;
  const char* message;
};

TEST(OpenModel, DirectoryRefusals) {
  const auto header = [](const char* json, size_t bytes) {
    return SafetensorsBytes(json, std::string(bytes, '\0'));
  };
  const Change cases[] = {
      {"no config", [](const auto& d) { std::filesystem::remove(d.Path("config.json")); },
       "config.json"},
      {"config is a folder",
       [](const auto& d) {
         std::filesystem::remove(d.Path("config.json"));
         std::filesystem::create_directory(d.Path("config.json"));
       },
       "not a plain file"},
      {"huge config", [](const auto& d) { d.Write("config.json", std::string(3'000'000, ' ')); },
       "3000000 bytes"},
      {"no weights", [](const auto& d) { std::filesystem::remove(d.Path("model.safetensors")); },
       "model.safetensors"},
      {"pickled weights",
       [](const auto& d) {
         std::filesystem::rename(d.Path("model.safetensors"), d.Path("pytorch_model.bin"));
       },
       "can run code"},
      {"cut-off weights",
       [](const auto& d) { std::filesystem::resize_file(d.Path("model.safetensors"), 3000); },
       "cut off"},
      {"empty weights", [&](const auto& d) { d.Write("model.safetensors", header("{}", 0)); },
       "model.embed_tokens.weight is missing"},
      {"8-bit weights",
       [&](const auto& d) {
         d.Write("model.safetensors",
                 header(R"({"x":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", 4));
       },
       "type I8"},
      {"index leads elsewhere",
       [](const auto& d) {
         d.Write("model.safetensors.index.json", R"({"weight_map":{"x":"../other.safetensors"}})");
       },
       "beside the index"},
      {"index leads to the root",
       [](const auto& d) {
         d.Write("model.safetensors.index.json", R"({"weight_map":{"x":"/etc/passwd"}})");
       },
       "beside the index"},
      {"index leads up",
       [](const auto& d) {
         d.Write("model.safetensors.index.json", R"({"weight_map":{"x":".."}})");
       },
       "beside the index"},
      {"index names no text",
       [](const auto& d) { d.Write("model.safetensors.index.json", R"({"weight_map":{"x":1}})"); },
       "beside the index"},
      {"index without a map",
       [](const auto& d) { d.Write("model.safetensors.index.json", R"({"metadata":{}})"); },
       "weight_map"},
      {"index names a missing file",
       [](const auto& d) {
         std::filesystem::remove(d.Path("model.safetensors"));
         d.Write("model.safetensors.index.json", R"({"weight_map":{"x":"gone.safetensors"}})");
       },
       "gone.safetensors"},
      {"start tokens that differ",
       [](const auto& d) {
         d.Write("tokenizer_config.json", R"({"bos_token": "<|a|>"})");
         d.Write("special_tokens_map.json", R"({"bos_token": "<|b|>"})");
       },
       "bos_token is \"<|b|>\", but in"},
      {"weights not fetched", [](const auto& d) { d.Write("model.safetensors", kPointer); },
       "model.safetensors: is a Git LFS pointer"},
      {"tokenizer not fetched", [](const auto& d) { d.Write("tokenizer.json", kPointer); },
       "tokenizer.json: is a Git LFS pointer"},
      {"index names a tensor that is not there",
       [](const auto& d) {
         d.Write("model.safetensors.index.json", R"({"weight_map":{"x":"model.safetensors"}})");
       },
       "tensor x is not in model.safetensors"},
  };
  for (const Change& c : cases) {
    SCOPED_TRACE(c.name);
    const TemporaryDirectory directory;
    WriteTinyModel(directory);
    c.change(directory);
    const absl::Status status = OpenWithTokenizer(directory.path());
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory.path()));
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

TEST(OpenModel, ShardsOfOneModel) {
  const TemporaryDirectory directory;
  WriteTinyModel(directory);
  // One tensor in its own file, the rest as they were.
  const LlamaConfig config = TinyConfig();
  const auto weights = TinyWeights(config);
  Json index;
  for (const int part : {1, 2}) {
    Json header;
    std::string data;
    const std::string file = "part-" + std::to_string(part) + ".safetensors";
    for (const NeededTensor& tensor : NeededTensors(config)) {
      if ((tensor.name == "model.norm.weight") != (part == 2)) continue;
      const std::string bytes = Floats(weights.at(tensor.name));
      header[tensor.name] = {{"dtype", "F32"},
                             {"shape", tensor.shape},
                             {"data_offsets", {data.size(), data.size() + bytes.size()}}};
      data += bytes;
      index["weight_map"][tensor.name] = file;
    }
    directory.Write(file, SafetensorsBytes(header.dump(), data));
  }
  directory.Write("model.safetensors.index.json", index.dump());
  // The whole in one file as well: which of the two is meant cannot be known.
  EXPECT_THAT(std::string(OpenModel(directory.path()).status().message()),
              AllOf(HasSubstr("model.safetensors, and model.safetensors.index.json"),
                    HasSubstr("part-1.safetensors")));
  std::filesystem::remove(directory.Path("model.safetensors"));
  const auto model = OpenModel(directory.path());
  ASSERT_TRUE(model.ok()) << model.status();
  ExpectTinyWeights(**model, true);
  // The same tensor in both files.
  std::filesystem::copy_file(directory.Path("part-2.safetensors"),
                             directory.Path("part-3.safetensors"));
  index["weight_map"]["more"] = "part-3.safetensors";
  directory.Write("model.safetensors.index.json", index.dump());
  EXPECT_THAT(std::string(OpenModel(directory.path()).status().message()),
              HasSubstr("in another file"));
}

// What the file is called says the same, when the metadata does not.
TEST(OpenModel, PartsOfASplitGgufAreCalledThat) {
  const TemporaryDirectory directory;
  for (const char* name : {"m-00002-of-00003.gguf", "m-00001-of-00001.gguf", "m-2-of-3.gguf"}) {
    directory.Write(name, TinyGguf().Build());
    const auto model = OpenModel(directory.Path(name));
    EXPECT_EQ(model.ok(), name != std::string("m-00002-of-00003.gguf")) << name;
    if (model.ok()) continue;
    EXPECT_THAT(std::string(model.status().message()), HasSubstr("is part 2 of 3"));
  }
  directory.Write("p.gguf", kPointer);
  EXPECT_THAT(std::string(OpenModel(directory.Path("p.gguf")).status().message()),
              HasSubstr("Git LFS pointer"));
  directory.Write("f.gguf", TinyGguf().Float32("llama.rope.scaling.factor", 1).Build());
  EXPECT_TRUE(OpenModel(directory.Path("f.gguf")).ok());
}

// Weights with both tensors, or only one, against what config.json says.
TEST(OpenModel, TiedEmbeddingsAndTheHead) {
  struct Case {
    const char* name;
    bool says_tied, embeddings, head, same;
    bool opens, tied;
    const char* warning;
  } const cases[] = {
      {"own head", true, true, true, false, true, false, "lm_head.weight of its own"},
      {"the same twice", true, true, true, true, true, true, nullptr},
      {"the head alone", true, false, true, false, true, true, nullptr},
      {"the embeddings alone", true, true, false, false, true, true, nullptr},
      {"not tied", false, true, true, false, true, false, nullptr},
      {"not tied, the head alone", false, false, true, false, false, false, nullptr},
      {"not tied, no head", false, true, false, false, false, false, nullptr},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const TemporaryDirectory directory;
    WriteTinyModel(directory);
    directory.Write("config.json", TinyConfigJson(c.says_tied).dump());
    const LlamaConfig whole = TinyConfig(/*tied=*/false);
    auto weights = TinyWeights(whole);
    if (c.same) weights["lm_head.weight"] = weights["model.embed_tokens.weight"];
    Json header;
    std::string data;
    for (const NeededTensor& tensor : NeededTensors(whole)) {
      if (tensor.name == "model.embed_tokens.weight" && !c.embeddings) continue;
      if (tensor.name == "lm_head.weight" && !c.head) continue;
      const std::string bytes = Floats(weights.at(tensor.name));
      header[tensor.name] = {{"dtype", "F32"},
                             {"shape", tensor.shape},
                             {"data_offsets", {data.size(), data.size() + bytes.size()}}};
      data += bytes;
    }
    directory.Write("model.safetensors", SafetensorsBytes(header.dump(), data));
    const auto model = OpenModel(directory.path());
    ASSERT_EQ(model.ok(), c.opens) << model.status();
    if (!model.ok()) continue;
    EXPECT_EQ((*model)->config().tied_embeddings, c.tied);
    ASSERT_EQ((*model)->warnings().size(), c.warning == nullptr ? 0u : 1u);
    if (c.warning != nullptr) {
      EXPECT_THAT((*model)->warnings()[0], HasSubstr(c.warning));
    }
    std::vector<float> values(ElementCount({whole.vocabulary, whole.hidden}));
    ASSERT_TRUE((*model)->ReadFloat32("model.embed_tokens.weight", values.data()).ok());
    EXPECT_EQ(values, weights.at(c.embeddings ? "model.embed_tokens.weight" : "lm_head.weight"));
    if (c.tied) continue;
    ASSERT_TRUE((*model)->ReadFloat32("lm_head.weight", values.data()).ok());
    EXPECT_EQ(values, weights.at("lm_head.weight"));
  }
}

TEST(OpenModel, PathsThatAreNoModel) {
  const TemporaryDirectory directory;
  directory.Write("model.safetensors", "x");
  directory.Write("notes.txt", "hello there");
  EXPECT_THAT(std::string(OpenModel(directory.Path("none")).status().message()),
              HasSubstr("does not exist"));
  EXPECT_THAT(std::string(OpenModel(directory.Path("model.safetensors")).status().message()),
              HasSubstr("the model's directory"));
  EXPECT_THAT(std::string(OpenModel(directory.Path("notes.txt")).status().message()),
              HasSubstr("not a GGUF file"));
  EXPECT_FALSE(OpenModel("/dev/null").ok());
}

// Whatever one byte of the file is changed to, opening and reading end with a status.
TEST(OpenModel, EveryWrongByteOfAGgufHeaderIsSurvived) {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("m.gguf");
  const std::string whole = TinyGguf().Build();
  const size_t tokens = whole.find("tokenizer.ggml.tokens");
  for (size_t i = 0; i < tokens; i += 3) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x41);
    directory.Write("m.gguf", bytes);
    const auto model = OpenModel(path);
    if (!model.ok()) continue;
    for (const TensorInfo& tensor : (*model)->tensors()) {
      std::vector<float> values(ElementCount(tensor.shape));
      EXPECT_TRUE((*model)->ReadFloat32(tensor.name, values.data()).ok());
    }
  }
}

}  // namespace
}  // namespace scm::model
