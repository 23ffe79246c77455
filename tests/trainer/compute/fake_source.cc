#include "tests/trainer/compute/fake_source.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/rng.h"

namespace scm::trainer {
namespace {

float RoundToBFloat16(double x) {
  const float value = static_cast<float>(x);
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  float rounded;
  std::memcpy(&rounded, &bits, 4);
  return rounded;
}

}  // namespace

FakeSource::FakeSource(const model::LlamaConfig& c, uint64_t seed) : config_(c) {
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  Add("model.embed_tokens.weight", {c.vocabulary, c.hidden}, 0, 0.5, seed);
  Add("model.norm.weight", {c.hidden}, 1, 0.2, seed);
  if (!c.tied_embeddings) Add("lm_head.weight", {c.vocabulary, c.hidden}, 0, 0.15, seed);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string at = absl::StrCat("model.layers.", i, ".");
    Add(at + "input_layernorm.weight", {c.hidden}, 1, 0.2, seed);
    Add(at + "post_attention_layernorm.weight", {c.hidden}, 1, 0.2, seed);
    Add(at + "self_attn.q_proj.weight", {q, c.hidden}, 0, 0.15, seed);
    Add(at + "self_attn.k_proj.weight", {kv, c.hidden}, 0, 0.15, seed);
    Add(at + "self_attn.v_proj.weight", {kv, c.hidden}, 0, 0.15, seed);
    Add(at + "self_attn.o_proj.weight", {c.hidden, q}, 0, 0.13, seed);
    Add(at + "mlp.gate_proj.weight", {c.intermediate, c.hidden}, 0, 0.15, seed);
    Add(at + "mlp.up_proj.weight", {c.intermediate, c.hidden}, 0, 0.15, seed);
    Add(at + "mlp.down_proj.weight", {c.hidden, c.intermediate}, 0, 0.1, seed);
    if (c.qkv_bias) {
      Add(at + "self_attn.q_proj.bias", {q}, 0, 0.3, seed);
      Add(at + "self_attn.k_proj.bias", {kv}, 0, 0.3, seed);
      Add(at + "self_attn.v_proj.bias", {kv}, 0, 0.3, seed);
    }
    if (c.qk_norm) {
      Add(at + "self_attn.q_norm.weight", {c.head_dim}, 1, 0.3, seed);
      Add(at + "self_attn.k_norm.weight", {c.head_dim}, 1, 0.3, seed);
    }
  }
}

void FakeSource::Add(const std::string& name, std::vector<int64_t> shape, double mean,
                     double deviation, uint64_t seed) {
  int64_t size = 1;
  for (int64_t s : shape) size *= s;
  Philox rng(seed, "fake_source", infos_.size());
  std::vector<float> values(static_cast<size_t>(size));
  for (float& x : values) x = RoundToBFloat16(mean + deviation * rng.Normal());
  values_[name] = std::move(values);
  infos_.push_back({name, model::DType::kF32, std::move(shape)});
}

absl::Status FakeSource::ReadFloat32(const std::string& name, float* out) const {
  const auto it = values_.find(name);
  if (it == values_.end()) return absl::NotFoundError(name);
  std::memcpy(out, it->second.data(), it->second.size() * sizeof(float));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<model::Tokenizer>> FakeSource::MakeTokenizer() const {
  return absl::NotFoundError("the fake source has no tokenizer");
}

model::LlamaConfig SmallConfig() {
  model::LlamaConfig c;
  c.vocabulary = 61;
  c.hidden = 44;
  c.intermediate = 70;
  c.layers = 2;
  c.heads = 6;
  c.kv_heads = 3;
  c.head_dim = 10;
  c.rope_theta = 10000;
  c.max_position = 512;
  return c;
}

}  // namespace scm::trainer
