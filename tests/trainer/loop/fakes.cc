#include "tests/trainer/loop/fakes.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "common/rng.h"

namespace scm::testing {

absl::StatusOr<std::vector<int32_t>> WordTokenizer::Encode(absl::string_view text,
                                                           bool parse_special) const {
  std::vector<int32_t> tokens;
  for (size_t start = 0; start < text.size();) {
    size_t end = text.find(' ', start + 1);
    if (end == text.npos) end = text.size();
    const std::string word(text.substr(start, end - start));
    if (parse_special && (word == "<s>" || word == " <s>")) {
      tokens.push_back(bos_token());
      start = end;
      continue;
    }
    tokens.push_back(words_.emplace(word, static_cast<int32_t>(words_.size()) + 2).first->second);
    start = end;
  }
  return tokens;
}

std::string WordTokenizer::Decode(const std::vector<int32_t>& tokens) const {
  std::string text;
  for (int32_t token : tokens) {
    for (const auto& [word, id] : words_) {
      if (id == token) text += word;
    }
  }
  return text;
}

QuadraticModel::QuadraticModel() { AddAdapterSet({}, 0).IgnoreError(); }

absl::Status QuadraticModel::AddLora(const trainer::LoraConfig&, uint64_t) {
  return absl::OkStatus();
}

absl::Status QuadraticModel::AddAdapterSet(const trainer::LoraConfig&, uint64_t) {
  trainer::AdapterPair pair;
  pair.name = "base_model.model.model.layers.0.self_attn.q_proj";
  for (at::Tensor* tensor : {&pair.a, &pair.b}) *tensor = at::zeros({2, 2});
  sets_.push_back(std::make_unique<std::vector<trainer::AdapterPair>>(1, pair));
  std::vector<std::vector<trainer::AdapterPair>*> all;
  for (const auto& set : sets_) all.push_back(set.get());
  flat_ = trainer::LayFlat(all);
  loss_sums_ = at::zeros({static_cast<int64_t>(sets_.size())}, at::kDouble);
  return absl::OkStatus();
}

double QuadraticModel::LossAt(size_t set, int32_t label, double shift, double gradient_scale) {
  trainer::AdapterPair& pair = adapters(set)[0];
  double loss = 0;
  for (int64_t j = 0; j < 4; ++j) {
    const double target = 1 + 0.3 * std::sin(label + static_cast<double>(j));
    const double error = pair.a.data_ptr<float>()[j] + pair.b.data_ptr<float>()[j] - target + shift;
    loss += error * error;
    pair.grad_a.data_ptr<float>()[j] += static_cast<float>(gradient_scale * 2 * error);
    pair.grad_b.data_ptr<float>()[j] += static_cast<float>(gradient_scale * 2 * error);
  }
  return loss;
}

trainer::LossResult QuadraticModel::TrainOne(const trainer::MicroBatch& one) {
  Philox rng(one.dropout_seed, "noise", static_cast<uint64_t>(one.step * 1000 + one.micro_step));
  trainer::LossResult result;
  for (int32_t label : one.batch->labels) {
    if (label == -100) continue;
    result.loss_sum += LossAt(one.adapter_set, label, noise * rng.Normal(), one.gradient_scale);
    ++result.labels;
  }
  if (one.step == nan_at_step && one.adapter_set == nan_in_set) {
    result.loss_sum = std::numeric_limits<double>::quiet_NaN();
  }
  return result;
}

absl::StatusOr<std::vector<trainer::LossResult>> QuadraticModel::TrainStep(
    const std::vector<trainer::MicroBatch>& micro_batches) {
  if (on_step) on_step(micro_batches.front().step);
  together.push_back(micro_batches.size());
  std::vector<trainer::LossResult> results;
  for (const trainer::MicroBatch& one : micro_batches) results.push_back(TrainOne(one));
  return results;
}

absl::Status QuadraticModel::QueueTrainStep(const std::vector<trainer::MicroBatch>& micro_batches) {
  const auto results = TrainStep(micro_batches);
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    loss_sums_.data_ptr<double>()[micro_batches[i].adapter_set] += (*results)[i].loss_sum;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<trainer::LlamaModel::RowScore>> QuadraticModel::Score(
    const trainer::Batch& batch) {
  ++scorings;
  std::vector<RowScore> scores(static_cast<size_t>(batch.rows));
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    if (batch.labels[i] == -100) continue;
    RowScore& row = scores[i / static_cast<size_t>(batch.length)];
    const auto fixed = log_likelihood_of.find(batch.labels[i]);
    row.log_likelihood += fixed != log_likelihood_of.end()
                              ? fixed->second
                              : -LossAt(selected_, batch.labels[i], 0, 0);
    ++row.labels;
  }
  return scores;
}

absl::StatusOr<at::Tensor> QuadraticModel::Logits(const trainer::Batch&) {
  return absl::UnimplementedError("the fake has no logits");
}

void QuadraticModel::ZeroGradients(size_t set) {
  adapters(set)[0].grad_a.zero_();
  adapters(set)[0].grad_b.zero_();
  loss_sums_.data_ptr<double>()[set] = 0;
}

absl::Status RecordingReporter::Write(const Json& line) {
  lines.push_back(line);
  return absl::OkStatus();
}

std::vector<Json> RecordingReporter::OfType(const std::string& type) const {
  std::vector<Json> found;
  for (const Json& line : lines) {
    if (line["type"] == type) found.push_back(line);
  }
  return found;
}

std::vector<int64_t> RecordingReporter::StepsOf(const std::string& type) const {
  std::vector<int64_t> steps;
  for (const Json& line : OfType(type)) steps.push_back(line["step"].get<int64_t>());
  return steps;
}

std::vector<std::vector<float>> MemoryCheckpoints::Copy(trainer::AdamW& optimizer) {
  std::vector<std::vector<float>> tensors;
  for (trainer::AdamW::Slot& slot : optimizer.slots()) {
    for (const at::Tensor& tensor : {*slot.parameter, slot.exp_avg, slot.exp_avg_sq}) {
      const float* const data = tensor.const_data_ptr<float>();
      tensors.emplace_back(data, data + tensor.numel());
    }
  }
  return tensors;
}

absl::StatusOr<std::string> MemoryCheckpoints::Save(const trainer::TrainingState& state,
                                                    trainer::AdamW& optimizer) {
  saved[state.step] = {state, Copy(optimizer)};
  return "memory/step-" + std::to_string(state.step);
}

void MemoryCheckpoints::Restore(const Saved& saved, trainer::AdamW& optimizer) {
  size_t next = 0;
  for (trainer::AdamW::Slot& slot : optimizer.slots()) {
    for (const at::Tensor& tensor : {*slot.parameter, slot.exp_avg, slot.exp_avg_sq}) {
      const std::vector<float>& data = saved.tensors[next++];
      std::memcpy(tensor.data_ptr<float>(), data.data(), data.size() * sizeof(float));
    }
  }
}

}  // namespace scm::testing
