#include "tests/trainer/compute/reference_model.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "trainer/compute/dropout.h"
#include "trainer/compute/rotary.h"

namespace scm::trainer {
namespace {

const char* const kModulePaths[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                    "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
                                    "mlp.down_proj"};

class Reference {
 public:
  Reference(const FakeSource& source, const LoraConfig& lora,
            const std::vector<AdapterPair>& adapters, const ReferenceDropout& dropout)
      : source_(source), c_(source.config()), lora_(lora), dropout_(dropout) {
    for (const AdapterPair& pair : adapters) {
      adapters_[pair.name] = {pair.a.detach().clone().set_requires_grad(true),
                              pair.b.detach().clone().set_requires_grad(true)};
    }
  }

  std::map<std::string, ReferenceAdapter>& adapters() { return adapters_; }

  // `first_row` numbers the tokens of the whole batch, padding not counted.
  at::Tensor Logits(const std::vector<int32_t>& tokens, int64_t first_row) {
    const at::Tensor ids = at::tensor(tokens, at::kInt).to(at::kLong);
    at::Tensor x = Weight("model.embed_tokens.weight").index_select(0, ids);
    for (int64_t i = 0; i < c_.layers; ++i) {
      const std::string at = absl::StrCat("model.layers.", i, ".");
      const at::Tensor h = Norm(x, Weight(at + "input_layernorm.weight"));
      x = x + Linear(i, 3, Attend(i, h, first_row), first_row);
      const at::Tensor m = Norm(x, Weight(at + "post_attention_layernorm.weight"));
      const at::Tensor act = at::silu(Linear(i, 4, m, first_row)) * Linear(i, 5, m, first_row);
      x = x + Linear(i, 6, act, first_row);
    }
    x = Norm(x, Weight("model.norm.weight"));
    return at::mm(x,
                  Weight(c_.tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight").t());
  }

 private:
  at::Tensor Weight(const std::string& name) const {
    for (const model::TensorInfo& info : source_.tensors()) {
      if (info.name == name) return at::tensor(source_.values(name), at::kFloat).view(info.shape);
    }
    TORCH_CHECK(false, "no tensor ", name);
  }

  at::Tensor Norm(const at::Tensor& x, const at::Tensor& w) const {
    return x * at::rsqrt(x.pow(2).mean(-1, true) + c_.rms_norm_eps) * w;
  }

  at::Tensor Mask(int64_t layer, int module, int64_t first_row, const at::Tensor& x) const {
    const Dropout d = MakeDropout(dropout_.rate, dropout_.seed, dropout_.step, dropout_.micro_step,
                                  layer, module);
    at::Tensor mask = at::empty_like(x).detach();
    for (int64_t r = 0; r < x.size(0); ++r) {
      for (int64_t k = 0; k < x.size(1); ++k) {
        mask.mutable_data_ptr<float>()[r * x.size(1) + k] = DropoutFactor(d, first_row + r, k);
      }
    }
    return mask;
  }

  at::Tensor Linear(int64_t layer, int module, const at::Tensor& x, int64_t first_row) {
    const std::string at = absl::StrCat("model.layers.", layer, ".", kModulePaths[module]);
    at::Tensor y = at::mm(x, Weight(at + ".weight").t());
    if (c_.qkv_bias && module < 3) y = y + Weight(at + ".bias");
    const auto it = adapters_.find("base_model.model." + at);
    if (it == adapters_.end()) return y;
    const at::Tensor dropped = x * Mask(layer, module, first_row, x);
    return y + at::mm(at::mm(dropped, it->second.a.t()), it->second.b.t()) *
                   Scale(at, static_cast<double>(it->second.a.size(0)));
  }

  // Here a key of alpha_pattern is a whole name.
  double Scale(const std::string& module, double r) const {
    double alpha = lora_.alpha;
    for (const auto& [name, own] : lora_.alpha_pattern) {
      if (name == module) alpha = own;
    }
    return alpha / (lora_.use_rslora ? std::sqrt(r) : r);
  }

  // Queries or keys [heads, length, d] before the products.
  at::Tensor Placed(int64_t layer, const char* norm, const at::Tensor& x) const {
    const std::string name = absl::StrCat("model.layers.", layer, ".self_attn.", norm, ".weight");
    const at::Tensor y = c_.qk_norm ? Norm(x, Weight(name)) : x;
    return c_.Rotates(layer) ? Rotate(y) : y;
  }

  at::Tensor Rotate(const at::Tensor& x) const {  // [heads, length, d]
    const int64_t half = c_.head_dim / 2;
    const RotaryTables tables = MakeRotaryTables(c_, x.size(1));
    const at::Tensor cos = at::tensor(tables.cos, at::kFloat).view({x.size(1), half});
    const at::Tensor sin = at::tensor(tables.sin, at::kFloat).view({x.size(1), half});
    const at::Tensor low = x.narrow(2, 0, half), high = x.narrow(2, half, half);
    return at::cat({low * cos - high * sin, high * cos + low * sin}, 2);
  }

  at::Tensor Attend(int64_t layer, const at::Tensor& h, int64_t first_row) {
    const int64_t n = h.size(0), group = c_.heads / c_.kv_heads;
    const auto heads = [&](int module, int64_t count) {
      return Linear(layer, module, h, first_row).view({n, count, c_.head_dim}).transpose(0, 1);
    };
    const at::Tensor q = Placed(layer, "q_norm", heads(0, c_.heads));
    const at::Tensor k = Placed(layer, "k_norm", heads(1, c_.kv_heads)).repeat_interleave(group, 0);
    const at::Tensor v = heads(2, c_.kv_heads).repeat_interleave(group, 0);
    const at::Tensor hidden = at::ones({n, n}, at::kBool).triu(1);
    const at::Tensor scores =
        (at::matmul(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(c_.head_dim)))
            .masked_fill(hidden, -INFINITY);
    return at::matmul(at::softmax(scores, -1), v)
        .transpose(0, 1)
        .reshape({n, c_.heads * c_.head_dim});
  }

  const FakeSource& source_;
  const model::LlamaConfig& c_;
  LoraConfig lora_;
  ReferenceDropout dropout_;
  std::map<std::string, ReferenceAdapter> adapters_;
};

}  // namespace

ReferenceStep RunReference(const FakeSource& source, const LoraConfig& lora,
                           const std::vector<AdapterPair>& adapters, const Batch& batch,
                           double gradient_scale, const ReferenceDropout& dropout) {
  Reference model(source, lora, adapters, dropout);
  at::Tensor loss = at::zeros({}, at::kFloat);
  int64_t first_row = 0;
  for (int64_t row = 0; row < batch.rows; ++row) {
    for (int64_t from = 0, to; from < batch.length; from = to) {
      const size_t at = static_cast<size_t>(row * batch.length + from);
      std::vector<int32_t> tokens;
      std::vector<int64_t> labels;
      for (to = from; to < batch.length; ++to) {
        const size_t i = at + static_cast<size_t>(to - from);
        if (batch.segments[i] != batch.segments[at]) break;
        tokens.push_back(batch.tokens[i]);
        labels.push_back(batch.labels[i]);
      }
      if (batch.segments[at] < 0) continue;
      const at::Tensor log_p = at::log_softmax(model.Logits(tokens, first_row), -1);
      for (size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] >= 0) loss = loss - log_p[static_cast<int64_t>(i)][labels[i]];
      }
      first_row += static_cast<int64_t>(tokens.size());
    }
  }
  (loss * gradient_scale).backward();
  ReferenceStep step;
  step.loss_sum = loss.item<double>();
  step.adapters = model.adapters();
  return step;
}

at::Tensor ReferenceLogits(const FakeSource& source, const LoraConfig& lora,
                           const std::vector<AdapterPair>& adapters,
                           const std::vector<int32_t>& tokens) {
  return Reference(source, lora, adapters, ReferenceDropout()).Logits(tokens, 0).detach();
}

}  // namespace scm::trainer
