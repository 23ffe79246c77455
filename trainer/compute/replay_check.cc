#include "trainer/compute/replay_check.h"

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm::trainer {
namespace {

thread_local ReplayCheck* looking_on = nullptr;

std::string Text(const at::Tensor& t) {
  if (!t.defined()) return "nothing";
  return absl::StrCat(c10::toString(t.scalar_type()), "[", absl::StrJoin(t.sizes(), ", "), "] at ",
                      absl::Hex(reinterpret_cast<uintptr_t>(t.const_data_ptr())), ", strides ",
                      absl::StrJoin(t.strides(), ", "));
}
std::string Text(double value) { return absl::StrCat(value); }
std::string Text(const FrozenMatrix& w) {
  for (const at::Tensor* form : {&w.plain, &w.packed}) {
    if (form->defined()) return Text(*form);
  }
  return absl::StrCat("a quantised matrix at ",
                      absl::Hex(reinterpret_cast<uintptr_t>(w.quantized.get())));
}
std::string Text(const Dropout& d) {
  if (d.device_keys == nullptr && d.active()) {
    return absl::StrCat("keys ", d.key0, ", ", d.key1, ", row ", d.first_row, ", rate ",
                        d.threshold);
  }
  return absl::StrCat("keys at ", absl::Hex(reinterpret_cast<uintptr_t>(d.device_keys)), ", rate ",
                      d.threshold, ", scale ", d.scale);
}
std::string Text(const LoraTerm& term) {
  if (!term.u.defined()) return "none";
  return absl::StrCat("u ", Text(term.u), ", b ", Text(term.b), ", scale ", term.scale);
}
std::string Text(const c10::IValue& value) {
  if (value.isTensor()) return Text(value.toTensor());
  if (value.isDouble()) return absl::StrCat(value.toDouble());
  if (value.isInt()) return absl::StrCat(value.toInt());
  if (value.isBool()) return value.toBool() ? "true" : "false";
  if (value.isIntList()) return absl::StrJoin(value.toIntVector(), ", ");
  if (value.isScalar()) return absl::StrCat(value.toScalar().to<double>());
  return value.tagKind();
}

// Operations of torch that bring a value to the host, whoever asks.
bool Waits(absl::string_view name) {
  return name == "aten::item" || name == "aten::_local_scalar_dense" || name == "aten::nonzero" ||
         name == "aten::is_nonzero" || name == "aten::equal" || name == "aten::masked_select";
}

// Whether it names a device to go to.
bool NamesDevice(const at::RecordFunction& operation) {
  const absl::string_view name = operation.name();
  if (name != "aten::to" && name != "aten::_to_copy") return false;
  const auto inputs = operation.inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const c10::IValue& value) { return value.isDevice(); });
}

std::unique_ptr<at::ObserverContext> OnOperation(const at::RecordFunction& operation) {
  ReplayCheck* const check = looking_on;
  if (check == nullptr) return nullptr;
  const std::string name = operation.name();
  if (Waits(name)) check->NoteWait(name);
  if (check->within_kernel > 0) return nullptr;
  if (NamesDevice(operation)) check->NoteWait(absl::StrCat(name, " with a device"));
  ReplayCheck::Operation one{name, {}};
  int index = 0;
  for (const c10::IValue& value : operation.inputs()) {
    one.arguments.emplace_back(absl::StrCat("argument ", ++index), Text(value));
  }
  check->Note(std::move(one));
  return nullptr;
}

class Allocations : public c10::MemoryReportingInfoBase {
 public:
  explicit Allocations(ReplayCheck* check) : check_(check) {}
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    if (size > 0 && check_->within_kernel == 0) check_->NoteAllocation(size);
  }
  bool memoryProfilingEnabled() const override { return true; }

 private:
  ReplayCheck* check_;
};

// While it lives, the check hears of this thread's operations and allocations.
class LookingOn {
 public:
  explicit LookingOn(ReplayCheck* check)
      : memory_(c10::DebugInfoKind::PROFILER_STATE, std::make_shared<Allocations>(check)),
        handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(&OnOperation)
                                               .needsInputs(true)
                                               .scopes({at::RecordScope::FUNCTION}))) {
    looking_on = check;
  }
  ~LookingOn() {
    looking_on = nullptr;
    at::removeCallback(handle_);
  }
  LookingOn(const LookingOn&) = delete;
  LookingOn& operator=(const LookingOn&) = delete;

 private:
  c10::DebugInfoGuard memory_;
  at::CallbackHandle handle_;
};

class CheckedKernels : public Kernels {
 public:
  CheckedKernels(Kernels* inner, ReplayCheck* check) : inner_(inner), check_(check) {}

  Launcher* launcher() override { return inner_->launcher(); }
  void Pack(FrozenMatrix* w) override { inner_->Pack(w); }

  void RmsNorm(const at::Tensor& x, const at::Tensor& w, double eps, at::Tensor& y) override {
    Do("RmsNorm", {{"x", Text(x)}, {"w", Text(w)}, {"eps", Text(eps)}, {"y", Text(y)}},
       [&] { inner_->RmsNorm(x, w, eps, y); });
  }
  void RmsNormBackward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& w, double eps,
                       at::Tensor& dx) override {
    Do("RmsNormBackward", {{"dy", Text(dy)}, {"x", Text(x)}, {"w", Text(w)}, {"dx", Text(dx)}},
       [&] { inner_->RmsNormBackward(dy, x, w, eps, dx); });
  }
  void Rows(const FrozenMatrix& w, const at::Tensor& rows, at::Tensor& y) override {
    Do("Rows", {{"w", Text(w)}, {"rows", Text(rows)}, {"y", Text(y)}},
       [&] { inner_->Rows(w, rows, y); });
  }
  void Linear(const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
              const at::Tensor& residual, at::Tensor& y) override {
    Do("Linear",
       {{"x", Text(x)},
        {"w", Text(w)},
        {"lora", lora == nullptr ? "none" : Text(*lora)},
        {"residual", Text(residual)},
        {"y", Text(y)}},
       [&] { inner_->Linear(x, w, lora, residual, y); });
  }
  void LinearOfBlocks(const at::Tensor& x, const FrozenMatrix& w,
                      const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                      at::Tensor& y) override {
    Arguments arguments = {
        {"x", Text(x)}, {"w", Text(w)}, {"residual", Text(residual)}, {"y", Text(y)}};
    for (const LoraBlock& block : blocks) {
      arguments.emplace_back(absl::StrCat("rows ", block.begin, " + ", block.rows),
                             Text(block.term));
    }
    Do("LinearOfBlocks", std::move(arguments),
       [&] { inner_->LinearOfBlocks(x, w, blocks, residual, y); });
  }
  void LinearBackward(const std::vector<GradientTerm>& terms, at::Tensor& dx) override {
    Arguments arguments;
    for (const GradientTerm& term : terms) {
      arguments.emplace_back("dy", Text(term.dy));
      arguments.emplace_back("w", Text(term.w));
    }
    arguments.emplace_back("dx", Text(dx));
    Do("LinearBackward", std::move(arguments), [&] { inner_->LinearBackward(terms, dx); });
  }
  void LoraDown(const at::Tensor& x, const at::Tensor& a, const Dropout& dropout,
                at::Tensor& u) override {
    Do("LoraDown", {{"x", Text(x)}, {"a", Text(a)}, {"dropout", Text(dropout)}, {"u", Text(u)}},
       [&] { inner_->LoraDown(x, a, dropout, u); });
  }
  void LoraUpBackward(const at::Tensor& dy, const at::Tensor& b, float scale,
                      at::Tensor& du) override {
    Do("LoraUpBackward",
       {{"dy", Text(dy)}, {"b", Text(b)}, {"scale", Text(scale)}, {"du", Text(du)}},
       [&] { inner_->LoraUpBackward(dy, b, scale, du); });
  }
  void LoraGradients(const at::Tensor& dy, const at::Tensor& u, float scale, const at::Tensor& du,
                     const at::Tensor& x, const Dropout& dropout, at::Tensor& grad_a,
                     at::Tensor& grad_b) override {
    Do("LoraGradients",
       {{"dy", Text(dy)},
        {"u", Text(u)},
        {"scale", Text(scale)},
        {"du", Text(du)},
        {"x", Text(x)},
        {"dropout", Text(dropout)},
        {"grad_a", Text(grad_a)},
        {"grad_b", Text(grad_b)}},
       [&] { inner_->LoraGradients(dy, u, scale, du, x, dropout, grad_a, grad_b); });
  }
  void LoraDownBackward(const at::Tensor& du, const at::Tensor& a, const Dropout& dropout,
                        at::Tensor& dx) override {
    Do("LoraDownBackward",
       {{"du", Text(du)}, {"a", Text(a)}, {"dropout", Text(dropout)}, {"dx", Text(dx)}},
       [&] { inner_->LoraDownBackward(du, a, dropout, dx); });
  }
  void LoraDownOfBlocks(const at::Tensor& x, std::vector<AdapterRows>& blocks) override {
    Do("LoraDownOfBlocks", OfBlocks({{"x", Text(x)}}, blocks),
       [&] { inner_->LoraDownOfBlocks(x, blocks); });
  }
  void LoraBackwardOfBlocks(const at::Tensor& dy, const at::Tensor& x,
                            std::vector<AdapterRows>& blocks, at::Tensor* dx) override {
    Do("LoraBackwardOfBlocks",
       OfBlocks({{"dy", Text(dy)}, {"x", Text(x)}, {"dx", dx == nullptr ? "none" : Text(*dx)}},
                blocks),
       [&] { inner_->LoraBackwardOfBlocks(dy, x, blocks, dx); });
  }
  void Rope(at::Tensor& x, int64_t heads, int64_t head_dim, const at::Tensor& positions,
            const at::Tensor& cos, const at::Tensor& sin, bool inverse) override {
    Do("Rope",
       {{"x", Text(x)},
        {"positions", Text(positions)},
        {"cos", Text(cos)},
        {"sin", Text(sin)},
        {"inverse", inverse ? "true" : "false"}},
       [&] { inner_->Rope(x, heads, head_dim, positions, cos, sin, inverse); });
  }
  void PrepareAttention(const std::vector<TokenSpan>& documents, int64_t most,
                        int64_t longest) override {
    most_ = most;
    longest_ = longest;
    inner_->PrepareAttention(documents, most, longest);
  }
  // Where documents lie was prepared: they may differ as far as that goes.
  void Attention(const at::Tensor& qkv, const AttentionShape& shape,
                 const std::vector<TokenSpan>& documents, at::Tensor& out,
                 at::Tensor& lse) override {
    Do("Attention",
       {{"qkv", Text(qkv)},
        {"documents", Documents(documents)},
        {"out", Text(out)},
        {"lse", Text(lse)}},
       [&] { inner_->Attention(qkv, shape, documents, out, lse); });
  }
  void AttentionBackward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                         const at::Tensor& grad_out, const AttentionShape& shape,
                         const std::vector<TokenSpan>& documents, at::Tensor& grad_qkv) override {
    Do("AttentionBackward",
       {{"qkv", Text(qkv)},
        {"documents", Documents(documents)},
        {"out", Text(out)},
        {"lse", Text(lse)},
        {"grad_out", Text(grad_out)},
        {"grad_qkv", Text(grad_qkv)}},
       [&] { inner_->AttentionBackward(qkv, out, lse, grad_out, shape, documents, grad_qkv); });
  }
  void SwiGlu(const at::Tensor& gate, const at::Tensor& up, at::Tensor& act) override {
    Do("SwiGlu", {{"gate", Text(gate)}, {"up", Text(up)}, {"act", Text(act)}},
       [&] { inner_->SwiGlu(gate, up, act); });
  }
  void SwiGluBackward(const at::Tensor& dact, at::Tensor& gate, at::Tensor& up) override {
    Do("SwiGluBackward", {{"dact", Text(dact)}, {"gate", Text(gate)}, {"up", Text(up)}},
       [&] { inner_->SwiGluBackward(dact, gate, up); });
  }
  void CrossEntropy(at::Tensor& logits, const at::Tensor& labels, double gradient_scale,
                    at::Tensor& losses) override {
    Do("CrossEntropy",
       {{"logits", Text(logits)},
        {"labels", Text(labels)},
        {"gradient_scale", Text(gradient_scale)},
        {"losses", Text(losses)}},
       [&] { inner_->CrossEntropy(logits, labels, gradient_scale, losses); });
  }
  void LogSumExp(const at::Tensor& logits, at::Tensor& log_sum, at::Tensor& arg_max) override {
    Do("LogSumExp",
       {{"logits", Text(logits)}, {"log_sum", Text(log_sum)}, {"arg_max", Text(arg_max)}},
       [&] { inner_->LogSumExp(logits, log_sum, arg_max); });
  }

 private:
  using Arguments = std::vector<std::pair<std::string, std::string>>;

  std::string Documents(const std::vector<TokenSpan>& documents) const {
    const auto longer = [this](const TokenSpan& one) { return one.length > longest_; };
    const bool prepared = static_cast<int64_t>(documents.size()) <= most_ &&
                          std::none_of(documents.begin(), documents.end(), longer);
    if (prepared) return absl::StrCat("up to ", most_, " of up to ", longest_, " tokens");
    return absl::StrJoin(documents, ", ", [](std::string* out, const TokenSpan& one) {
      absl::StrAppend(out, one.start, " + ", one.length);
    });
  }

  static Arguments OfBlocks(Arguments arguments, const std::vector<AdapterRows>& blocks) {
    for (const AdapterRows& one : blocks) {
      arguments.emplace_back("rows", absl::StrCat(one.begin, " + ", one.rows));
      arguments.emplace_back("scale", Text(one.scale));
      arguments.emplace_back("dropout", Text(one.dropout));
      for (const auto& [name, tensor] :
           {std::pair("a", &one.a), std::pair("b", &one.b), std::pair("u", &one.u),
            std::pair("du", &one.du), std::pair("grad_a", &one.grad_a),
            std::pair("grad_b", &one.grad_b)}) {
        arguments.emplace_back(name, Text(*tensor));
      }
    }
    return arguments;
  }

  void Do(const char* name, Arguments arguments, const std::function<void()>& operation) {
    check_->Note({name, std::move(arguments)});
    ++check_->within_kernel;
    operation();
    --check_->within_kernel;
  }

  Kernels* inner_;
  ReplayCheck* check_;
  int64_t most_ = 0, longest_ = 0;
};

}  // namespace

absl::Status ReplayCheck::Run(const std::string& key, const std::function<void()>& pass) {
  ++passes_;
  const auto found = recorded_.find(key);
  before_ = found == recorded_.end() ? nullptr : &found->second;
  now_.clear();
  problem_.clear();
  within_kernel = 0;
  {
    const LookingOn looking(this);
    running_ = true;
    const absl::Cleanup over = [this] { running_ = false; };
    pass();
  }
  if (before_ != nullptr && now_.size() < before_->size()) {
    Complain(absl::StrCat("it ends after ", now_.size(), " operations, and had ", before_->size()));
  }
  if (!problem_.empty()) {
    return absl::InternalError(
        absl::StrCat("a training pass (", key, ") cannot be replayed: ", problem_));
  }
  if (before_ == nullptr) recorded_[key] = std::move(now_);
  return absl::OkStatus();
}

void ReplayCheck::Complain(const std::string& what) {
  if (problem_.empty()) problem_ = what;
}

void ReplayCheck::Note(Operation operation) {
  if (!running_) return;  // what is computed outside of passes
  now_.push_back(std::move(operation));
  if (before_ == nullptr || !problem_.empty()) return;
  const Operation& now = now_.back();
  const std::string where = absl::StrCat("operation ", now_.size(), ", ", now.name);
  if (now_.size() > before_->size()) return Complain(where + ", was not there before");
  const Operation& before = (*before_)[now_.size() - 1];
  if (before.name != now.name) {
    return Complain(absl::StrCat(where, ", was ", before.name, " before"));
  }
  for (size_t i = 0; i < std::min(before.arguments.size(), now.arguments.size()); ++i) {
    if (before.arguments[i] == now.arguments[i]) continue;
    return Complain(absl::StrCat(where, ": ", now.arguments[i].first, " was ",
                                 before.arguments[i].second, " and is ", now.arguments[i].second));
  }
  if (before.arguments.size() != now.arguments.size()) {
    Complain(absl::StrCat(where, " has ", now.arguments.size(), " arguments, and had ",
                          before.arguments.size()));
  }
}

void ReplayCheck::NoteAllocation(int64_t bytes) {
  Complain(absl::StrCat(
      bytes, " bytes are allocated ",
      now_.empty() ? std::string("at its start")
                   : absl::StrCat("by or after operation ", now_.size(), ", ", now_.back().name)));
}

void ReplayCheck::NoteWait(const std::string& name) {
  Complain(absl::StrCat(name, " waits for the device, after operation ", now_.size(),
                        now_.empty() ? "" : ", " + now_.back().name));
}

std::unique_ptr<Kernels> MakeCheckedKernels(Kernels* inner, ReplayCheck* check) {
  return std::make_unique<CheckedKernels>(inner, check);
}

}  // namespace scm::trainer
