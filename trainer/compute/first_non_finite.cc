#include "trainer/compute/first_non_finite.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>

#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"

namespace scm::trainer {
namespace {

bool IsFinite(const at::Tensor& values) {
  return !values.defined() || at::isfinite(values).all().item<bool>();
}

// "layer 7" of "layer 7, mlp.down_proj"; "" of what is in no layer.
std::string LayerOf(const std::string& name) {
  const size_t comma = name.find(", ");
  return comma == name.npos ? "" : name.substr(0, comma);
}

class WatchingKernels : public Kernels {
 public:
  WatchingKernels(Kernels* inner, ModuleNames names, FirstNonFinite* found)
      : inner_(inner), names_(std::move(names)), found_(found) {}

  void RmsNorm(const at::Tensor& x, const at::Tensor& w, double eps, at::Tensor& y) override {
    // What no kernel has made is the embedding of a token.
    CheckFinite({x}, "embed_tokens, forward");
    inner_->RmsNorm(x, w, eps, y);
    CheckFinite({y}, Forward(names_.Of(w)));
  }
  void RmsNormBackward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& w, double eps,
                       at::Tensor& dx) override {
    inner_->RmsNormBackward(dy, x, w, eps, dx);
    CheckFinite({dx}, Backward(names_.Of(w)));
  }
  void Pack(FrozenMatrix* w) override { inner_->Pack(w); }
  void Rows(const FrozenMatrix& w, const at::Tensor& rows, at::Tensor& y) override {
    inner_->Rows(w, rows, y);
  }
  void Linear(const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
              const at::Tensor& residual, at::Tensor& y) override {
    inner_->Linear(x, w, lora, residual, y);
    CheckFinite({y}, Forward(names_.Of(w)));
  }
  void LinearOfBlocks(const at::Tensor& x, const FrozenMatrix& w,
                      const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                      at::Tensor& y) override {
    inner_->LinearOfBlocks(x, w, blocks, residual, y);
    CheckFinite({y}, Forward(names_.Of(w)));
  }
  void LinearBackward(const std::vector<GradientTerm>& terms, at::Tensor& dx) override {
    inner_->LinearBackward(terms, dx);
    std::string name;
    for (const GradientTerm& term : terms) {
      const std::string one = names_.Of(term.w);
      absl::StrAppend(&name,
                      name.empty() ? one : absl::StrCat(" or ", one.substr(one.find(' ') + 1)));
    }
    CheckFinite({dx}, Backward(name));
  }
  void LoraDown(const at::Tensor& x, const at::Tensor& a, const Dropout& dropout,
                at::Tensor& u) override {
    inner_->LoraDown(x, a, dropout, u);
    CheckFinite({u}, Forward(names_.Of(a)));
  }
  void LoraUpBackward(const at::Tensor& dy, const at::Tensor& b, float scale,
                      at::Tensor& du) override {
    inner_->LoraUpBackward(dy, b, scale, du);
    CheckFinite({du}, Backward(names_.Of(b)));
  }
  void LoraGradients(const at::Tensor& dy, const at::Tensor& u, float scale, const at::Tensor& du,
                     const at::Tensor& x, const Dropout& dropout, at::Tensor& grad_a,
                     at::Tensor& grad_b) override {
    inner_->LoraGradients(dy, u, scale, du, x, dropout, grad_a, grad_b);
    CheckFinite({grad_a, grad_b}, Backward(names_.Of(grad_a)));
  }
  void LoraDownBackward(const at::Tensor& du, const at::Tensor& a, const Dropout& dropout,
                        at::Tensor& dx) override {
    inner_->LoraDownBackward(du, a, dropout, dx);
    CheckFinite({dx}, Backward(names_.Of(a)));
  }
  void Rope(at::Tensor& x, int64_t heads, int64_t head_dim, const at::Tensor& positions,
            const at::Tensor& cos, const at::Tensor& sin, bool inverse) override {
    inner_->Rope(x, heads, head_dim, positions, cos, sin, inverse);
    CheckFinite({x}, Within("self_attn", inverse));
  }
  void Attention(const at::Tensor& qkv, const AttentionShape& shape,
                 const std::vector<TokenSpan>& documents, at::Tensor& out,
                 at::Tensor& lse) override {
    inner_->Attention(qkv, shape, documents, out, lse);
    CheckFinite({out, lse}, Within("self_attn", false));
  }
  void AttentionBackward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                         const at::Tensor& grad_out, const AttentionShape& shape,
                         const std::vector<TokenSpan>& documents, at::Tensor& grad_qkv) override {
    inner_->AttentionBackward(qkv, out, lse, grad_out, shape, documents, grad_qkv);
    CheckFinite({grad_qkv}, Within("self_attn", true));
  }
  void SwiGlu(const at::Tensor& gate, const at::Tensor& up, at::Tensor& act) override {
    inner_->SwiGlu(gate, up, act);
    CheckFinite({act}, Within("mlp.act_fn", false));
  }
  void SwiGluBackward(const at::Tensor& dact, at::Tensor& gate, at::Tensor& up) override {
    inner_->SwiGluBackward(dact, gate, up);
    CheckFinite({gate, up}, Within("mlp.act_fn", true));
  }
  void CrossEntropy(at::Tensor& logits, const at::Tensor& labels, double gradient_scale,
                    at::Tensor& losses) override {
    inner_->CrossEntropy(logits, labels, gradient_scale, losses);
    CheckFinite({losses, logits}, "the loss");
  }
  void LogSumExp(const at::Tensor& logits, at::Tensor& log_sum, at::Tensor& arg_max) override {
    inner_->LogSumExp(logits, log_sum, arg_max);
  }

 private:
  std::string Forward(const std::string& name) { return Passing(name, "forward"); }
  std::string Backward(const std::string& name) { return Passing(name, "backward"); }
  std::string Passing(const std::string& name, const char* direction) {
    if (!LayerOf(name).empty()) layer_ = LayerOf(name);
    return absl::StrCat(name, ", ", direction);
  }
  // What has no weights is in the layer of the last module that has.
  std::string Within(const char* part, bool backward) const {
    return absl::StrCat(layer_, ", ", part, backward ? ", backward" : ", forward");
  }
  void CheckFinite(std::initializer_list<at::Tensor> made, const std::string& place) {
    if (!found_->place.empty()) return;
    for (const at::Tensor& values : made) {
      if (IsFinite(values)) continue;
      found_->place = place;
      return;
    }
  }

  Kernels* inner_;
  ModuleNames names_;
  FirstNonFinite* found_;
  std::string layer_;
};

}  // namespace

const void* ModuleNames::IdOf(const FrozenMatrix& matrix) {
  if (matrix.quantized != nullptr) return matrix.quantized.get();
  for (const at::Tensor* form : {&matrix.plain, &matrix.packed}) {
    if (form->defined()) return form->const_data_ptr();
  }
  return nullptr;
}

std::string ModuleNames::Find(const void* id) const {
  const auto name = names_.find(id);
  return name == names_.end() ? "an unknown module" : name->second;
}

std::unique_ptr<Kernels> MakeWatchingKernels(Kernels* inner, ModuleNames names,
                                             FirstNonFinite* found) {
  return std::make_unique<WatchingKernels>(inner, std::move(names), found);
}

}  // namespace scm::trainer
