#include "trainer/compute/llama_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rng.h"
#include "common/status_macros.h"
#include "model/formats/hf_family.h"
#include "model/model_source.h"
#include "trainer/compute/adapter_places.h"
#include "trainer/compute/cuda/cuda_kernels.h"
#include "trainer/compute/cuda/graph_runner.h"
#include "trainer/compute/cuda/product_precision.h"
#include "trainer/compute/rotary.h"
#include "trainer/compute/shared_pass.h"

namespace scm::trainer {
namespace {

constexpr int64_t kScoreRows = 256;  // rows of logits that exist at a time

absl::Status CheckLora(const LoraConfig& lora) {
  if (lora.r < 1) return absl::InvalidArgumentError("lora.r must be at least 1");
  if (!(lora.dropout >= 0 && lora.dropout < 1)) {
    return absl::InvalidArgumentError("lora.dropout must be in [0, 1)");
  }
  if (lora.target_modules.empty()) {
    return absl::InvalidArgumentError("lora.target_modules names no module");
  }
  for (const std::string& name : lora.target_modules) {
    if (ModuleByName(name) == kModules) {
      return absl::InvalidArgumentError(
          absl::StrCat("lora.target_modules: \"", name, "\" is none of ",
                       absl::StrJoin(kModuleNames, kModuleNames + kModules, ", ")));
    }
  }
  return absl::OkStatus();
}

// What libtorch throws becomes a status.
template <typename Result>
Result Guard(const std::function<Result()>& work) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    // The CPU allocator throws a plain error.
    const bool memory = absl::StrContains(what, "can't allocate memory") ||
                        absl::StrContains(what, "out of memory");
    return memory ? absl::ResourceExhaustedError(what) : absl::InternalError(what);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  }
}

}  // namespace

LlamaModelImpl::LlamaModelImpl(const model::LlamaConfig& config, LlamaWeights weights,
                               at::ScalarType type, const at::Device& device,
                               std::unique_ptr<Kernels> kernels,
                               const BaseQuantization& quantization)
    : config_(config),
      weights_(std::move(weights)),
      type_(type),
      device_(device),
      kernels_(std::move(kernels)),
      shape_{config.heads, config.kv_heads, config.head_dim},
      quantization_(quantization),
      pass_rows_(device.is_cpu() ? kPassRows : std::numeric_limits<int64_t>::max()),
      inputs_(static_cast<size_t>(config.layers)),
      states_(static_cast<size_t>(config.layers)),
      recorded_(launcher() != nullptr) {
  if (!device.is_cpu() && kernels_->CanRecord(type, shape_)) graphs_ = MakeGraphRunner(device);
  runner_ = graphs_.get();
  PackWeights();
}

void LlamaModelImpl::PackWeights() {
  for (LayerWeights& w : weights_.layers) {
    for (FrozenMatrix* matrix : {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      kernels_->Pack(matrix);
    }
  }
  kernels_->Pack(&weights_.head);
}

void LlamaModelImpl::RecomputeActivations(bool recompute) {
  recompute_ = recompute;
  for (LayerState& state : states_) state = LayerState();
  if (runner_ != nullptr) runner_->Forget();
}

QuantizedBase LlamaModelImpl::quantized_base() const {
  QuantizedBase base;
  base.quantization = quantization_;
  for (const LayerWeights& w : weights_.layers) {
    for (const FrozenMatrix* matrix : {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      if (matrix->quantized == nullptr) continue;
      ++base.matrices;
      base.parameters += matrix->out * matrix->in;
      base.bytes += matrix->quantized->bytes();
      base.blocks += matrix->quantized->blocks();
      base.inverted_blocks += matrix->quantized->inverted_blocks();
    }
  }
  return base;
}

absl::Status LlamaModelImpl::AddLora(const LoraConfig& config, uint64_t seed) {
  SCM_RETURN_IF_ERROR(CheckLora(config));
  sets_.clear();
  selected_ = 0;
  return AddAdapterSet(config, seed);
}

absl::Status LlamaModelImpl::AddAdapterSet(const LoraConfig& config, uint64_t seed) {
  SCM_RETURN_IF_ERROR(CheckLora(config));
  const std::vector<AdapterPlace> places = AdapterPlaces(config_, config);
  std::vector<std::string> names;
  for (const AdapterPlace& place : places) names.push_back(place.name);
  SCM_ASSIGN_OR_RETURN(const std::vector<model::AdapterShape> shapes,
                       model::AdapterShapes(config.numbers(), names));
  for (LayerState& state : states_) state = LayerState();
  work_ = Workspace();
  auto set = std::make_unique<AdapterSet>();
  set->config = config;
  set->index.assign(static_cast<size_t>(config_.layers * kModules), -1);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto& [name, layer, m] = places[i];
    set->index[static_cast<size_t>(layer * kModules + m)] = static_cast<int64_t>(i);
    set->pairs.push_back(MakePair(name, shapes[i], layer, m, seed));
    set->largest_rank = std::max(set->largest_rank, shapes[i].r);
  }
  sets_.push_back(std::move(set));
  std::vector<std::vector<AdapterPair>*> all;
  for (const auto& one : sets_) all.push_back(&one->pairs);
  flat_ = LayFlat(all);
  const auto options = at::TensorOptions().dtype(at::kDouble).device(device_);
  loss_sums_ = at::zeros({static_cast<int64_t>(sets_.size())}, options);
  loss_sum_ = at::zeros({1}, options);
  if (runner_ != nullptr) runner_->Forget();
  return absl::OkStatus();
}

AdapterPair LlamaModelImpl::MakePair(const std::string& name, const model::AdapterShape& shape,
                                     int64_t layer, int module, uint64_t seed) const {
  const int64_t in = InputSize(config_, module), out = OutputSize(config_, module);
  AdapterPair pair;
  pair.name = absl::StrCat("base_model.model.", name);
  pair.scale = shape.scale;
  at::Tensor a = at::empty({shape.r, in}, at::kFloat);
  Philox rng(seed, "lora_init", static_cast<uint64_t>(layer * kModules + module));
  const double bound = 1.0 / std::sqrt(static_cast<double>(in));
  float* values = a.mutable_data_ptr<float>();
  for (int64_t i = 0; i < shape.r * in; ++i) {
    values[i] = static_cast<float>((2 * rng.Uniform() - 1) * bound);
  }
  pair.a = a.to(device_);
  pair.b = at::zeros({out, shape.r}, pair.a.options());
  return pair;
}

bool LlamaModelImpl::AnyAdapter(const Pass& pass, int64_t layer,
                                std::initializer_list<Module> modules) {
  for (const RowBlock& block : pass.blocks) {
    for (const Module module : modules) {
      if (block.set->Find(layer, module) != nullptr) return true;
    }
  }
  return false;
}

int64_t LlamaModelImpl::LargestRank() const {
  int64_t largest = 0;
  for (const auto& set : sets_) largest = std::max(largest, set->largest_rank);
  return largest;
}

at::Tensor LlamaModelImpl::LowRank(const at::Tensor& all, const RowBlock& block,
                                   const AdapterPair& pair) const {
  const int64_t r = pair.a.size(0), begin = block.begin * LargestRank();
  return all.narrow(0, begin, block.rows * r).view({block.rows, r});
}

at::Tensor LlamaModelImpl::Empty(std::initializer_list<int64_t> shape, at::ScalarType type) const {
  return at::empty(at::IntArrayRef(shape), at::TensorOptions().dtype(type).device(device_));
}

void LlamaModelImpl::ReserveInput(int64_t layer, int64_t tokens) {
  at::Tensor& x = inputs_[static_cast<size_t>(layer)];
  if (x.defined() && x.size(0) >= tokens) return;
  x.reset();
  x = Empty({tokens, config_.hidden}, type_);
  if (runner_ != nullptr) runner_->Forget();
}

void LlamaModelImpl::Reserve(LayerState* s, int64_t tokens) {
  if (tokens <= s->capacity) return;
  *s = LayerState();
  const int64_t q = shape_.heads * shape_.head_dim, kv = shape_.kv_heads * shape_.head_dim;
  s->x_mid = Empty({tokens, config_.hidden}, type_);
  s->qkv = Empty({tokens, q + 2 * kv}, type_);
  if (config_.qk_norm) ReserveHeadNorms(s, tokens);
  s->attention = Empty({tokens, q}, type_);
  s->lse = Empty({shape_.heads * tokens}, at::kFloat);
  s->gate = Empty({tokens, config_.intermediate}, type_);
  s->up = Empty({tokens, config_.intermediate}, type_);
  // States are shared by layers that keep nothing, and an adapter may leave layers out.
  for (const auto& set : sets_) {
    for (size_t i = 0; i < set->index.size(); ++i) {
      at::Tensor& u = s->u[i % kModules];
      if (set->index[i] >= 0 && !u.defined()) u = Empty({tokens * LargestRank()}, at::kFloat);
    }
  }
  s->capacity = tokens;
  if (runner_ != nullptr) runner_->Forget();
}

void LlamaModelImpl::ReserveForward(int64_t tokens) {
  if (tokens <= work_.capacity) return;
  work_ = Workspace();
  work_.normed = Empty({tokens, config_.hidden}, type_);
  work_.act = Empty({tokens, config_.intermediate}, type_);
  work_.x_out = Empty({tokens, config_.hidden}, type_);
  work_.capacity = tokens;
  if (runner_ != nullptr) runner_->Forget();
}

void LlamaModelImpl::ReserveBackward(int64_t tokens) {
  ReserveForward(tokens);
  if (work_.grad_x.defined()) return;
  const int64_t n = work_.capacity, q = shape_.heads * shape_.head_dim;
  work_.grad_act = Empty({n, config_.intermediate}, type_);
  work_.grad_qkv = Empty({n, q + 2 * shape_.kv_heads * shape_.head_dim}, type_);
  work_.grad_attention = Empty({n, q}, type_);
  if (config_.qk_norm) work_.grad_head = Empty({n, shape_.head_dim}, at::kFloat);
  work_.grad_x = Empty({n, config_.hidden}, at::kFloat);
  work_.grad_normed = Empty({n, config_.hidden}, at::kFloat);
  work_.du = Empty({n * LargestRank()}, at::kFloat);
  if (runner_ != nullptr) runner_->Forget();
}

void LlamaModelImpl::ReservePassInput(int64_t bytes) {
  if (input_.defined() && input_.numel() >= bytes) return;
  input_.reset();
  input_ = Empty({bytes}, at::kByte);
  if (runner_ != nullptr) runner_->Forget();
}

void LlamaModelImpl::ReserveLoss(int64_t labels, LossBuffers* b) {
  if (labels <= b->capacity) return;
  *b = LossBuffers();
  b->rows = Empty({labels, config_.hidden}, type_);
  b->normed = Empty({labels, config_.hidden}, type_);
  b->losses = Empty({labels}, at::kFloat);
  b->wide_losses = Empty({labels}, at::kDouble);
  b->grad_normed = Empty({labels, config_.hidden}, at::kFloat);
  b->grad_rows = Empty({labels, config_.hidden}, at::kFloat);
  b->logits = Empty({std::min(labels, kLossRows), config_.vocabulary}, at::kFloat);
  b->capacity = labels;
  if (b == &loss_ && runner_ != nullptr) runner_->Forget();
}

void LlamaModelImpl::ReserveRotary(const TokenPlan& plan) {
  int64_t needed = 1;
  for (int32_t position : plan.positions) needed = std::max<int64_t>(needed, position + 1);
  if (cos_.defined() && cos_.size(0) >= needed) return;
  needed = (needed + 255) / 256 * 256;
  const RotaryTables tables = MakeRotaryTables(config_, needed);
  const int64_t half = config_.head_dim / 2;
  cos_ = at::tensor(tables.cos, at::kFloat).view({needed, half}).to(device_);
  sin_ = at::tensor(tables.sin, at::kFloat).view({needed, half}).to(device_);
  if (runner_ != nullptr) runner_->Forget();
}

absl::StatusOr<TokenPlan> LlamaModelImpl::Plan(const Batch& batch, bool share_prefixes) const {
  SCM_ASSIGN_OR_RETURN(TokenPlan plan, MakeTokenPlan(batch, config_.vocabulary, share_prefixes));
  int64_t longest = 0;
  for (int32_t position : plan.positions) longest = std::max<int64_t>(longest, position + 1);
  SCM_RETURN_IF_ERROR(model::CheckWindow(config_, longest, "the model"));
  return plan;
}

LlamaModelImpl::Pass LlamaModelImpl::StartPass(const TokenPlan& plan, std::vector<RowBlock> blocks,
                                               bool keep) {
  ReserveRotary(plan);
  Pass pass{&plan, std::move(blocks), {}, keep, keep && recorded_};
  PassSizes sizes{plan.count(), static_cast<int64_t>(plan.labels.size()), 0};
  const int64_t masks = config_.layers * kModules;
  if (pass.recorded) sizes.keys = static_cast<int64_t>(pass.blocks.size()) * masks;
  const auto bytes = at::TensorOptions().dtype(at::kByte);
  const at::Tensor host = at::empty({BytesOf(sizes)}, bytes.pinned_memory(device_.is_cuda()));
  PassInput input = ViewsOf(host, sizes);
  FillInput(pass, &input);
  if (pass.recorded) {
    ReservePassInput(BytesOf(sizes));
    pass.input = ViewsOf(input_, sizes);
    pass.input.bytes.copy_(host, /*non_blocking=*/true);
    const auto* keys = static_cast<const uint32_t*>(pass.input.keys.const_data_ptr());
    for (size_t i = 0; i < pass.blocks.size(); ++i) {
      pass.blocks[i].keys = keys + 3 * masks * static_cast<int64_t>(i);
    }
  } else {
    pass.input = device_.is_cpu() ? input : ViewsOf(host.to(device_, /*non_blocking=*/true), sizes);
  }
  return pass;
}

void LlamaModelImpl::FillInput(const Pass& pass, PassInput* input) const {
  const TokenPlan& plan = *pass.plan;
  std::copy(plan.tokens.begin(), plan.tokens.end(), input->tokens.mutable_data_ptr<int64_t>());
  std::copy(plan.positions.begin(), plan.positions.end(),
            input->positions.mutable_data_ptr<int32_t>());
  int64_t* rows = input->label_rows.mutable_data_ptr<int64_t>();
  int64_t* targets = input->targets.mutable_data_ptr<int64_t>();
  for (const TokenPlan::Label& label : plan.labels) {
    *rows++ = label.token;
    *targets++ = label.target;
  }
  if (!pass.recorded) return;
  float* scales = input->label_scales.mutable_data_ptr<float>();
  uint32_t* keys = static_cast<uint32_t*>(input->keys.mutable_data_ptr());
  for (const RowBlock& block : pass.blocks) {
    scales = std::fill_n(scales, block.labels, static_cast<float>(block.key->gradient_scale));
    for (int64_t i = 0; i < config_.layers * kModules; ++i) {
      const Dropout d = DropoutOf(block, i / kModules, static_cast<Module>(i % kModules));
      for (const uint32_t word : {d.key0, d.key1, d.first_row}) *keys++ = word;
    }
  }
}

LlamaModelImpl::Pass LlamaModelImpl::StartScoring(const TokenPlan& plan) {
  std::vector<RowBlock> blocks;
  if (enabled_ && selected_ < sets_.size()) {
    blocks.push_back({sets_[selected_].get(), 0, plan.count(), nullptr, 0, 0});
  }
  return StartPass(plan, std::move(blocks), false);
}

Dropout LlamaModelImpl::DropoutOf(const RowBlock& block, int64_t layer, Module module) const {
  if (block.key == nullptr) return Dropout();
  const MicroBatch& key = *block.key;
  Dropout dropout = MakeDropout(block.set->config.dropout, key.dropout_seed, key.step,
                                key.micro_step, layer, module);
  dropout.first_row = static_cast<uint32_t>(block.first);
  if (block.keys != nullptr) dropout.device_keys = block.keys + 3 * (layer * kModules + module);
  return dropout;
}

int64_t LlamaModelImpl::BaseBytes() const {
  int64_t bytes = 0;
  const auto add = [&bytes](const FrozenMatrix& matrix) {
    for (const at::Tensor& form : {matrix.plain, matrix.packed}) {
      if (form.defined()) bytes += static_cast<int64_t>(form.nbytes());
    }
    if (matrix.quantized != nullptr) bytes += matrix.quantized->bytes();
  };
  for (const LayerWeights& w : weights_.layers) {
    for (const FrozenMatrix* matrix : {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      add(*matrix);
    }
  }
  add(weights_.embedding);
  add(weights_.head);
  return bytes;
}

int64_t LlamaModelImpl::RowsToShare() const {
  if (rows_to_share_ >= 0) return rows_to_share_;
  return scm::trainer::RowsToShare(
      static_cast<double>(BaseBytes()),
      ActivationBytesOfARow(config_, static_cast<int64_t>(at::elementSize(type_))));
}

// Passes of one key have the same shapes, and the same sets.
std::string LlamaModelImpl::PassKey(const Pass& pass, int64_t most, int64_t longest) const {
  std::string key = absl::StrCat(most, " documents of up to ", longest, " tokens");
  for (const RowBlock& block : pass.blocks) {
    absl::StrAppend(&key, "; set ", block.key->adapter_set, ": ", block.rows, " rows, ",
                    block.labels, " labels");
  }
  return key;
}

void LlamaModelImpl::ReserveForPass(int64_t tokens, bool keep) {
  ReserveForward(tokens);
  for (int64_t i = 0; i < (keep ? config_.layers : 1); ++i) {
    ReserveInput(i, tokens);
    Reserve(&states_[static_cast<size_t>(keep && !recompute_ ? i : 0)], tokens);
  }
}

at::Tensor LlamaModelImpl::RunPass(const Pass& pass, bool add_losses) {
  const at::Tensor x = Forward(pass);
  at::Tensor grad_x = work_.grad_x.narrow(0, 0, pass.tokens());
  at::Tensor losses = LossAndGradient(pass, x, grad_x);
  Backward(pass, grad_x);
  if (add_losses) AddLosses(pass, losses);
  return losses;
}

TokenPlan LlamaModelImpl::LayOut(const std::vector<Part>& parts, size_t first, size_t last,
                                 const std::vector<MicroBatch>& micro_batches,
                                 std::vector<RowBlock>* blocks) const {
  TokenPlan all;
  for (size_t i = first; i < last; ++i) {
    const MicroBatch& key = micro_batches[parts[i].micro_batch];
    TokenPlan plan = parts[i].rows.plan;
    if (recorded_) {
      PadPlan(RecordedLength(plan.count()),
              RecordedLength(static_cast<int64_t>(plan.labels.size())), &plan);
    }
    blocks->push_back({sets_[key.adapter_set].get(), all.count(), plan.count(), &key,
                       key.first_token + parts[i].rows.first,
                       static_cast<int64_t>(plan.labels.size())});
    Append(plan, &all);
  }
  return all;
}

// The bounds that a recorded pass holds for, and what else tells passes apart.
std::string LlamaModelImpl::PrepareRecorded(const Pass& pass) {
  const TokenPlan& plan = *pass.plan;
  ReserveLoss(static_cast<int64_t>(plan.labels.size()), &loss_);
  int64_t longest = 1;
  for (const TokenSpan& document : plan.documents) longest = std::max(longest, document.length);
  longest = RecordedLength(longest);
  const int64_t most = RecordedLength(static_cast<int64_t>(plan.documents.size()));
  kernels_->PrepareAttention(plan.documents, most, longest);
  return PassKey(pass, most, longest);
}

absl::Status LlamaModelImpl::TrainTogether(const std::vector<Part>& parts, size_t first,
                                           size_t last,
                                           const std::vector<MicroBatch>& micro_batches,
                                           std::vector<LossResult>* results) {
  std::vector<RowBlock> blocks;
  const TokenPlan all = LayOut(parts, first, last, micro_batches, &blocks);
  const Pass pass = StartPass(all, std::move(blocks), true);
  ReserveForPass(all.count(), true);
  ReserveBackward(all.count());
  const std::string key = pass.recorded ? PrepareRecorded(pass) : "";
  if (pass.recorded && runner_ != nullptr && results == nullptr) {
    return runner_->Run(key, [&] { RunPass(pass, true); });
  }
  const at::Tensor losses = RunPass(pass, results == nullptr);
  if (results == nullptr) return absl::OkStatus();
  const std::vector<LossResult> sums = SumLosses(pass, losses.to(at::kCPU));
  for (size_t i = first; i < last; ++i) {
    LossResult& result = (*results)[parts[i].micro_batch];
    result.loss_sum += sums[i - first].loss_sum;
    result.labels += sums[i - first].labels;
  }
  return absl::OkStatus();
}

absl::Status LlamaModelImpl::CheckReplays(ReplayCheck* check) {
  if (unchecked_ != nullptr) kernels_ = std::move(unchecked_);
  runner_ = check == nullptr ? graphs_.get() : check;
  recorded_ = check != nullptr || launcher() != nullptr;
  if (check == nullptr) return absl::OkStatus();
  unchecked_ = std::move(kernels_);
  kernels_ = MakeCheckedKernels(unchecked_.get(), check);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LlamaModelImpl::Part>> LlamaModelImpl::Cut(
    const std::vector<MicroBatch>& micro_batches) const {
  if (sets_.empty() || !enabled_) {
    return absl::FailedPreconditionError("training needs adapters: call AddLora, and enable them");
  }
  std::vector<Part> parts;
  std::set<size_t> sets;
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    const MicroBatch& one = micro_batches[i];
    if (one.adapter_set >= sets_.size() || !sets.insert(one.adapter_set).second) {
      return absl::InvalidArgumentError(absl::StrCat("adapter set ", one.adapter_set,
                                                     " is not there, or trained twice in a pass"));
    }
    SCM_ASSIGN_OR_RETURN(const TokenPlan plan, Plan(*one.batch, false));
    for (PlanPart& part : CutPlan(plan, pass_rows_)) {
      if (part.plan.labels.empty()) continue;  // without a gradient
      parts.push_back({i, std::move(part)});
    }
  }
  return parts;
}

absl::Status LlamaModelImpl::Train(const std::vector<MicroBatch>& micro_batches,
                                   std::vector<LossResult>* results) {
  SCM_ASSIGN_OR_RETURN(const std::vector<Part> parts, Cut(micro_batches));
  int64_t largest = 0;
  for (const Part& part : parts) largest = std::max(largest, part.rows.plan.count());
  return Guard<absl::Status>([&]() -> absl::Status {
    const int64_t most = largest + RowsToShare();
    for (size_t first = 0, last = 0; first < parts.size(); first = last) {
      // Of different micro-batches: what was cut stays apart.
      int64_t rows = 0;
      const auto next = [&] { return parts[last].rows.plan.count(); };
      while (last < parts.size() &&
             (last == first ||
              (parts[last].micro_batch != parts[last - 1].micro_batch && rows + next() <= most))) {
        rows += next();
        ++last;
      }
      SCM_RETURN_IF_ERROR(TrainTogether(parts, first, last, micro_batches, results));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<LossResult>> LlamaModelImpl::TrainStep(
    const std::vector<MicroBatch>& micro_batches) {
  std::vector<LossResult> results(micro_batches.size());
  SCM_RETURN_IF_ERROR(Train(micro_batches, &results));
  return results;
}

absl::Status LlamaModelImpl::QueueTrainStep(const std::vector<MicroBatch>& micro_batches) {
  // A CPU has nothing to wait for: each sum is made in the order of the labels.
  if (device_.is_cpu() && !recorded_) {
    SCM_ASSIGN_OR_RETURN(const std::vector<LossResult> results, TrainStep(micro_batches));
    double* const sums = loss_sums_.mutable_data_ptr<double>();
    for (size_t i = 0; i < results.size(); ++i) {
      sums[micro_batches[i].adapter_set] += results[i].loss_sum;
    }
    return absl::OkStatus();
  }
  return Train(micro_batches, nullptr);
}

std::vector<LlamaModel::RowScore> LlamaModelImpl::ScoreLabels(const TokenPlan& plan, int64_t rows,
                                                              const at::Tensor& x) {
  std::vector<RowScore> scores(static_cast<size_t>(rows));
  const size_t n = plan.labels.size();
  for (size_t begin = 0; begin < n;) {
    std::vector<int64_t> tokens, flat;  // distinct tokens; where each label's logit lies
    size_t end = begin;
    for (; end < n; ++end) {
      const TokenPlan::Label& label = plan.labels[end];
      if (tokens.empty() || tokens.back() != label.token) {
        if (static_cast<int64_t>(tokens.size()) == kScoreRows) break;
        tokens.push_back(label.token);
      }
      flat.push_back((static_cast<int64_t>(tokens.size()) - 1) * config_.vocabulary + label.target);
    }
    const at::Tensor picked = x.index_select(0, at::tensor(tokens, at::kLong).to(device_));
    at::Tensor normed = at::empty_like(picked);
    kernels_->RmsNorm(picked, weights_.norm, config_.rms_norm_eps, normed);
    const int64_t count = picked.size(0);
    at::Tensor logits = Empty({count, config_.vocabulary}, at::kFloat);
    kernels_->Linear(normed, weights_.head, nullptr, at::Tensor(), logits);
    at::Tensor sums = Empty({count}, at::kFloat), best = Empty({count}, at::kLong);
    kernels_->LogSumExp(logits, sums, best);
    const at::Tensor values =
        logits.view({-1}).index_select(0, at::tensor(flat, at::kLong).to(device_)).to(at::kCPU);
    sums = sums.to(at::kCPU);
    best = best.to(at::kCPU);
    for (size_t i = begin; i < end; ++i) {
      const TokenPlan::Label& label = plan.labels[i];
      const int64_t at = flat[i - begin] / config_.vocabulary;
      RowScore& score = scores[static_cast<size_t>(label.row)];
      score.log_likelihood += static_cast<double>(values.const_data_ptr<float>()[i - begin]) -
                              static_cast<double>(sums.const_data_ptr<float>()[at]);
      ++score.labels;
      score.greedy = score.greedy && best.const_data_ptr<int64_t>()[at] == label.target;
    }
    begin = end;
  }
  return scores;
}

absl::StatusOr<std::vector<LlamaModel::RowScore>> LlamaModelImpl::Score(const Batch& batch) {
  SCM_ASSIGN_OR_RETURN(const TokenPlan plan, Plan(batch, true));
  if (plan.labels.empty()) return std::vector<RowScore>(static_cast<size_t>(batch.rows));
  return Guard<absl::StatusOr<std::vector<RowScore>>>([&] {
    const Pass pass = StartScoring(plan);
    return ScoreLabels(plan, batch.rows, Forward(pass));
  });
}

absl::StatusOr<at::Tensor> LlamaModelImpl::Logits(const Batch& batch) {
  SCM_ASSIGN_OR_RETURN(const TokenPlan plan, Plan(batch, false));
  if (plan.count() == 0) return absl::InvalidArgumentError("a batch of padding has no logits");
  return Guard<absl::StatusOr<at::Tensor>>([&]() -> absl::StatusOr<at::Tensor> {
    const Pass pass = StartScoring(plan);
    const at::Tensor x = Forward(pass);
    at::Tensor normed = at::empty_like(x);
    kernels_->RmsNorm(x, weights_.norm, config_.rms_norm_eps, normed);
    at::Tensor flat = Empty({plan.count(), config_.vocabulary}, at::kFloat);
    kernels_->Linear(normed, weights_.head, nullptr, at::Tensor(), flat);
    at::Tensor logits = at::zeros({batch.rows * batch.length, config_.vocabulary}, flat.options());
    std::vector<int64_t> from, to;
    for (size_t i = 0; i < plan.places.size(); ++i) {
      if (plan.places[i] < 0) continue;
      from.push_back(plan.places[i]);
      to.push_back(static_cast<int64_t>(i));
    }
    logits.index_copy_(0, at::tensor(to, at::kLong).to(device_),
                       flat.index_select(0, at::tensor(from, at::kLong).to(device_)));
    return logits.view({batch.rows, batch.length, config_.vocabulary});
  });
}

void LlamaModelImpl::ZeroGradients(size_t set) {
  flat_.Of(flat_.gradients, set).zero_();
  loss_sums_.narrow(0, static_cast<int64_t>(set), 1).zero_();
}

absl::StatusOr<std::unique_ptr<LlamaModel>> MakeLlamaModelWith(
    const model::ModelSource& source, Precision precision, const std::string& device,
    std::unique_ptr<Kernels> kernels, const BaseQuantization& quantization, QuantizedCache* cache) {
  return Guard<absl::StatusOr<std::unique_ptr<LlamaModel>>>(
      [&]() -> absl::StatusOr<std::unique_ptr<LlamaModel>> {
        const at::Device where(device);
        const at::ScalarType type = precision == Precision::kBFloat16 ? at::kBFloat16 : at::kFloat;
        SCM_RETURN_IF_ERROR(SetProductPrecision(precision, where));
        SCM_ASSIGN_OR_RETURN(LlamaWeights weights,
                             LoadWeights(source, type, where, quantization, cache));
        return std::make_unique<LlamaModelImpl>(source.config(), std::move(weights), type, where,
                                                std::move(kernels), quantization);
      });
}

absl::StatusOr<std::unique_ptr<LlamaModel>> MakeLlamaModel(const model::ModelSource& source,
                                                           Precision precision,
                                                           const std::string& device,
                                                           const BaseQuantization& quantization,
                                                           QuantizedCache* cache) {
  return Guard<absl::StatusOr<std::unique_ptr<LlamaModel>>>([&] {
    return MakeLlamaModelWith(source, precision, device, MakeKernelsFor(at::Device(device)),
                              quantization, cache);
  });
}

}  // namespace scm::trainer
