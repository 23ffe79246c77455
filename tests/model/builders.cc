#include "tests/model/builders.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "model/formats/gguf_names.h"
#include "model/formats/llama_tensors.h"
#include "model/tokenize/byte_map.h"

namespace scm::model {
namespace {

std::string Text(absl::string_view text) {
  return Bytes<uint64_t>(text.size()) + std::string(text);
}

// The other direction of what the reader does with q and k.
std::vector<float> Permute(const std::vector<float>& rows, int64_t heads, int64_t head_dim,
                           int64_t width) {
  std::vector<float> out(rows.size());
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t i = 0; i < head_dim / 2; ++i) {
      for (int64_t j = 0; j < 2; ++j) {
        const int64_t from = h * head_dim + j * (head_dim / 2) + i;
        const int64_t to = h * head_dim + 2 * i + j;
        for (int64_t k = 0; k < width; ++k) out[to * width + k] = rows[from * width + k];
      }
    }
  }
  return out;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = testing::TempDir() + "/scm_model_files_XXXXXX";
  path_ = mkdtemp(pattern.data());
}

TemporaryDirectory::~TemporaryDirectory() { std::filesystem::remove_all(path_); }

void TemporaryDirectory::Write(const std::string& name, absl::string_view content) const {
  std::ofstream(Path(name), std::ios::binary).write(content.data(), content.size());
}

std::string Floats(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string SafetensorsBytes(absl::string_view header, absl::string_view data) {
  return absl::StrCat(Bytes<uint64_t>(header.size()), header, data);
}

GgufBuilder& GgufBuilder::Raw(const std::string& key, uint32_t type, absl::string_view bytes) {
  metadata_.emplace_back(key, Bytes(type) + std::string(bytes));
  return *this;
}

GgufBuilder& GgufBuilder::Uint32(const std::string& key, uint32_t value) {
  return Raw(key, 4, Bytes(value));
}
GgufBuilder& GgufBuilder::Float32(const std::string& key, float value) {
  return Raw(key, 6, Bytes(value));
}
GgufBuilder& GgufBuilder::Bool(const std::string& key, bool value) {
  return Raw(key, 7, Bytes<uint8_t>(value));
}
GgufBuilder& GgufBuilder::String(const std::string& key, absl::string_view value) {
  return Raw(key, 8, Text(value));
}

GgufBuilder& GgufBuilder::Strings(const std::string& key, const std::vector<std::string>& values) {
  std::string bytes = Bytes<uint32_t>(8) + Bytes<uint64_t>(values.size());
  for (const std::string& value : values) bytes += Text(value);
  return Raw(key, 9, bytes);
}

GgufBuilder& GgufBuilder::Int32s(const std::string& key, const std::vector<int32_t>& values) {
  std::string bytes = Bytes<uint32_t>(5) + Bytes<uint64_t>(values.size());
  for (const int32_t value : values) bytes += Bytes(value);
  return Raw(key, 9, bytes);
}

GgufBuilder& GgufBuilder::Tensor(const std::string& name, std::vector<uint64_t> dimensions,
                                 uint32_t type, absl::string_view data) {
  data_.resize((data_.size() + 31) / 32 * 32, '\0');
  TensorAt(name, std::move(dimensions), type, data_.size());
  absl::StrAppend(&data_, data);
  return *this;
}

GgufBuilder& GgufBuilder::TensorAt(const std::string& name, std::vector<uint64_t> dimensions,
                                   uint32_t type, uint64_t offset) {
  tensors_.push_back({name, std::move(dimensions), type, offset});
  return *this;
}

std::string GgufBuilder::Build(uint32_t version) const {
  std::string file = absl::StrCat("GGUF", Bytes(version), Bytes<uint64_t>(tensors_.size()),
                                  Bytes<uint64_t>(metadata_.size()));
  for (const auto& [key, value] : metadata_) absl::StrAppend(&file, Text(key), value);
  for (const Entry& entry : tensors_) {
    absl::StrAppend(&file, Text(entry.name), Bytes<uint32_t>(entry.dimensions.size()));
    for (const uint64_t dimension : entry.dimensions) absl::StrAppend(&file, Bytes(dimension));
    absl::StrAppend(&file, Bytes(entry.type), Bytes(entry.offset));
  }
  file.resize((file.size() + 31) / 32 * 32, '\0');
  return file + data_;
}

LlamaConfig TinyConfig(bool tied) {
  LlamaConfig c;
  c.vocabulary = 300;
  c.hidden = 8;
  c.intermediate = 12;
  c.layers = 2;
  c.heads = 2;
  c.kv_heads = 1;
  c.head_dim = 4;
  c.rms_norm_eps = 1e-5;
  c.rope_theta = 10000;
  c.tied_embeddings = tied;
  c.max_position = 64;
  c.bos_token = 262;
  c.eos_token = 263;
  return c;
}

Json TinyConfigJson(bool tied) {
  return {{"model_type", "llama"},    {"architectures", Json::array({"LlamaForCausalLM"})},
          {"vocab_size", 300},        {"hidden_size", 8},
          {"intermediate_size", 12},  {"num_hidden_layers", 2},
          {"num_attention_heads", 2}, {"num_key_value_heads", 1},
          {"rms_norm_eps", 1e-5},     {"rope_theta", 10000.0},
          {"hidden_act", "silu"},     {"tie_word_embeddings", tied},
          {"bos_token_id", 262},      {"eos_token_id", 263},
          {"torch_dtype", "float32"}, {"max_position_embeddings", 64}};
}

std::map<std::string, std::vector<float>> TinyWeights(const LlamaConfig& config) {
  std::map<std::string, std::vector<float>> weights;
  float next = 0;
  for (const NeededTensor& tensor : NeededTensors(config)) {
    std::vector<float>& values = weights[tensor.name];
    values.resize(ElementCount(tensor.shape));
    for (float& value : values) value = 0.25f * (next += 1);
  }
  return weights;
}

void WriteTinyModel(const TemporaryDirectory& directory, bool tied) {
  const LlamaConfig config = TinyConfig(tied);
  Json header;
  std::string data;
  const auto weights = TinyWeights(config);
  for (const NeededTensor& tensor : NeededTensors(config)) {
    const std::string bytes = Floats(weights.at(tensor.name));
    header[tensor.name] = {{"dtype", "F32"},
                           {"shape", tensor.shape},
                           {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  }
  directory.Write("model.safetensors", SafetensorsBytes(header.dump(), data));
  directory.Write("config.json", TinyConfigJson(tied).dump());
  directory.Write("tokenizer.json", TinyTokenizerJson().dump());
}

GgufBuilder TinyGguf(bool tied) {
  const LlamaConfig c = TinyConfig(tied);
  GgufBuilder builder;
  builder.String("general.architecture", "llama")
      .Uint32("llama.embedding_length", c.hidden)
      .Uint32("llama.feed_forward_length", c.intermediate)
      .Uint32("llama.block_count", c.layers)
      .Uint32("llama.attention.head_count", c.heads)
      .Uint32("llama.attention.head_count_kv", c.kv_heads)
      .Uint32("llama.context_length", c.max_position)
      .Uint32("llama.vocab_size", c.vocabulary)
      .Float32("llama.attention.layer_norm_rms_epsilon", 1e-5f)
      .Float32("llama.rope.freq_base", 10000)
      .String("tokenizer.ggml.model", "gpt2")
      .String("tokenizer.ggml.pre", "smollm")
      .Strings("tokenizer.ggml.tokens", TinyTokens())
      .Strings("tokenizer.ggml.merges", TinyMerges())
      .Uint32("tokenizer.ggml.bos_token_id", c.bos_token)
      .Uint32("tokenizer.ggml.eos_token_id", c.eos_token);
  std::vector<int32_t> types(TinyTokens().size(), 1);
  types[262] = types[263] = 3;
  builder.Int32s("tokenizer.ggml.token_type", types);
  const auto weights = TinyWeights(c);
  for (const NeededTensor& tensor : NeededTensors(c)) {
    std::vector<float> values = weights.at(tensor.name);
    if (absl::StrContains(tensor.name, "q_proj")) values = Permute(values, c.heads, c.head_dim, 8);
    if (absl::StrContains(tensor.name, "k_proj")) {
      values = Permute(values, c.kv_heads, c.head_dim, 8);
    }
    const std::vector<uint64_t> dimensions(tensor.shape.rbegin(), tensor.shape.rend());
    builder.Tensor(*GgufName(tensor.name), dimensions, 0, Floats(values));
  }
  return builder;
}

std::vector<std::string> TinyMerges() { return {"h o", "l a", "ho la", "Ġ m", "o n", "Ġm u"}; }

std::vector<std::string> TinyTokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(MappedFromBytes(std::string(1, static_cast<char>(byte))));
  }
  for (const std::string& merge : TinyMerges()) {
    tokens.push_back(absl::StrReplaceAll(merge, {{" ", ""}}));
  }
  tokens.push_back("<|a|>");
  tokens.push_back("<|b|>");
  return tokens;
}

Json TinyTokenizerJson() {
  const std::vector<std::string> tokens = TinyTokens();
  Json vocab = Json::object(), added = Json::array();
  for (size_t id = 0; id < 262; ++id) vocab[tokens[id]] = id;
  for (size_t id = 262; id < tokens.size(); ++id) {
    added.push_back({{"id", id}, {"content", tokens[id]}, {"special", true}});
  }
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", TinyMerges()}}}};
}

}  // namespace scm::model
