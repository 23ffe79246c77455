#include "tests/fuzz/tiny_base.h"

#include <cstring>

#include "common/json.h"
#include "model/formats/llama_tensors.h"

namespace scm::fuzz {

model::LlamaConfig TinyBase() {
  model::LlamaConfig c;
  c.vocabulary = 8;
  c.hidden = 4;
  c.intermediate = 6;
  c.layers = 2;
  c.heads = 2;
  c.kv_heads = 1;
  c.head_dim = 2;
  c.tied_embeddings = true;
  c.max_position = 16;
  return c;
}

std::string TinyBaseJson() {
  return DumpJson(Json{{"model_type", "llama"},
                       {"vocab_size", 8},
                       {"hidden_size", 4},
                       {"intermediate_size", 6},
                       {"num_hidden_layers", 2},
                       {"num_attention_heads", 2},
                       {"num_key_value_heads", 1},
                       {"rms_norm_eps", 1e-5},
                       {"hidden_act", "silu"},
                       {"tie_word_embeddings", true},
                       {"max_position_embeddings", 16}});
}

std::string ZeroTensors(const std::vector<NamedShape>& tensors) {
  Json header = Json::object();
  int64_t end = 0;
  for (const NamedShape& tensor : tensors) {
    const int64_t begin = end;
    end += model::ElementCount(tensor.shape) * 4;
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
  }
  const std::string text = DumpJson(header);
  const uint64_t length = text.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + text + std::string(static_cast<size_t>(end), '\0');
}

}  // namespace scm::fuzz
