// Small model files made in memory, right or wrong as the test wants them.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/json.h"
#include "model/llama_config.h"

namespace scm::model {

// A directory that goes away with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  void Write(const std::string& name, absl::string_view content) const;

 private:
  std::string path_;
};

template <typename T>
std::string Bytes(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
std::string Floats(const std::vector<float>& values);

// u64 length, header, data.
std::string SafetensorsBytes(absl::string_view header, absl::string_view data);

class GgufBuilder {
 public:
  GgufBuilder& Uint32(const std::string& key, uint32_t value);
  GgufBuilder& Float32(const std::string& key, float value);
  GgufBuilder& Bool(const std::string& key, bool value);
  GgufBuilder& String(const std::string& key, absl::string_view value);
  GgufBuilder& Strings(const std::string& key, const std::vector<std::string>& values);
  GgufBuilder& Int32s(const std::string& key, const std::vector<int32_t>& values);
  // `type` and the bytes that follow it, as they are.
  GgufBuilder& Raw(const std::string& key, uint32_t type, absl::string_view bytes);
  // `dimensions` in the file's order: the contiguous one first.
  GgufBuilder& Tensor(const std::string& name, std::vector<uint64_t> dimensions, uint32_t type,
                      absl::string_view data);
  // A tensor entry with an offset of the test's choosing; its data is not written.
  GgufBuilder& TensorAt(const std::string& name, std::vector<uint64_t> dimensions, uint32_t type,
                        uint64_t offset);
  std::string Build(uint32_t version = 3) const;

 private:
  struct Entry {
    std::string name;
    std::vector<uint64_t> dimensions;
    uint32_t type;
    uint64_t offset;
  };
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<Entry> tensors_;
  std::string data_;
};

// A Llama of the smallest shape that has everything: 2 layers, grouped heads, vocabulary 300.
LlamaConfig TinyConfig(bool tied = true);
Json TinyConfigJson(bool tied = true);
// Every tensor that it needs, by Hugging Face name, with values that differ from place to place.
std::map<std::string, std::vector<float>> TinyWeights(const LlamaConfig& config);
// The same model as files. The Hugging Face directory gets model.safetensors, config.json and
// tokenizer.json; GGUF gets permuted q and k, F32 only.
void WriteTinyModel(const TemporaryDirectory& directory, bool tied = true);
GgufBuilder TinyGguf(bool tied = true);

// A byte-level vocabulary of the 256 bytes in GPT-2's order, then these merges' results; special
// tokens <|a|> (start) and <|b|> (end) follow.
Json TinyTokenizerJson();
// The merges of TinyTokenizerJson, in GGUF's spelling.
std::vector<std::string> TinyMerges();
std::vector<std::string> TinyTokens();

}  // namespace scm::model
