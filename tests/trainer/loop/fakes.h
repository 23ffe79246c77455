// Fakes of what the training loop talks to. Single-threaded.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "model/tokenizer.h"
#include "trainer/compute/model.h"
#include "trainer/loop/train_loop.h"
#include "trainer/protocol/reporter.h"

namespace scm::testing {

// Tokens are words with the space in front of them (" word"), numbered as they first appear from 2
// on; 1 is the start token and its text <s>, 999 the end token if there is one.
class WordTokenizer : public model::Tokenizer {
 public:
  explicit WordTokenizer(bool adds_bos, bool has_end = false)
      : adds_bos_(adds_bos), has_end_(has_end) {}
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                              bool parse_special) const override;
  std::string Decode(const std::vector<int32_t>& tokens) const override;
  int64_t vocabulary_size() const override { return 1000; }
  int32_t bos_token() const override { return 1; }
  int32_t eos_token() const override { return has_end_ ? 999 : -1; }
  bool adds_bos() const override { return adds_bos_; }
  std::string FindSpecial(absl::string_view text) const override {
    return text.find("<s>") == text.npos ? "" : "<s>";
  }

 private:
  bool adds_bos_, has_end_;
  mutable std::map<std::string, int32_t> words_;
};

// A "model" of one adapter pair a set, whose loss at a label t is Σ_j (a_j + b_j − target_j(t) +
// noise)², with noise drawn from (dropout seed, step, micro step): everything that a resumed run
// must restore changes its result.
class QuadraticModel : public trainer::LlamaModel {
 public:
  QuadraticModel();
  const model::LlamaConfig& config() const override { return config_; }
  absl::Status AddLora(const trainer::LoraConfig&, uint64_t seed) override;
  absl::Status AddAdapterSet(const trainer::LoraConfig&, uint64_t seed) override;
  using LlamaModel::adapters;
  std::vector<trainer::AdapterPair>& adapters(size_t set) override { return *sets_[set]; }
  const trainer::FlatAdapters& flat_adapters() const override { return flat_; }
  using LlamaModel::TrainStep;
  absl::StatusOr<std::vector<trainer::LossResult>> TrainStep(
      const std::vector<trainer::MicroBatch>& micro_batches) override;
  absl::Status QueueTrainStep(const std::vector<trainer::MicroBatch>& micro_batches) override;
  at::Tensor loss_sums() override { return loss_sums_; }
  absl::StatusOr<std::vector<RowScore>> Score(const trainer::Batch& batch) override;
  absl::StatusOr<at::Tensor> Logits(const trainer::Batch& batch) override;
  void EnableAdapters(bool) override {}
  void SelectAdapterSet(size_t set) override { selected_ = set; }
  using LlamaModel::ZeroGradients;
  void ZeroGradients(size_t set) override;

  int64_t nan_at_step = -1;
  size_t nan_in_set = 0;
  std::map<int32_t, double> log_likelihood_of;  // labels that Score answers with this
  double noise = 0.1;
  // Called before every TrainStep, with the first micro-batch's step.
  std::function<void(int64_t step)> on_step;
  int64_t scorings = 0;          // calls of Score
  std::vector<size_t> together;  // micro-batches of each TrainStep

 private:
  double LossAt(size_t set, int32_t label, double shift, double gradient_scale);
  trainer::LossResult TrainOne(const trainer::MicroBatch& one);

  model::LlamaConfig config_;
  std::vector<std::unique_ptr<std::vector<trainer::AdapterPair>>> sets_;
  trainer::FlatAdapters flat_;
  at::Tensor loss_sums_;
  size_t selected_ = 0;
};

// Keeps every report line.
class RecordingReporter : public trainer::Reporter {
 public:
  RecordingReporter() : trainer::Reporter(-1) {}
  std::vector<Json> lines;
  // The lines of one type.
  std::vector<Json> OfType(const std::string& type) const;
  std::vector<int64_t> StepsOf(const std::string& type) const;

 protected:
  absl::Status Write(const Json& line) override;
};

// Keeps checkpoints in memory, as bytes.
class MemoryCheckpoints : public trainer::CheckpointSink {
 public:
  struct Saved {
    trainer::TrainingState state;
    std::vector<std::vector<float>> tensors;  // parameter, exp_avg, exp_avg_sq a slot
  };
  absl::StatusOr<std::string> Save(const trainer::TrainingState& state,
                                   trainer::AdamW& optimizer) override;
  static std::vector<std::vector<float>> Copy(trainer::AdamW& optimizer);
  static void Restore(const Saved& saved, trainer::AdamW& optimizer);
  std::map<int64_t, Saved> saved;
};

// Moves on by a fixed amount at every look.
class TickingClock : public Clock {
 public:
  absl::Time Now() override { return absl::UnixEpoch() + Steady(); }
  absl::Duration Steady() override { return elapsed_ += absl::Milliseconds(10); }

 private:
  absl::Duration elapsed_;
};

}  // namespace scm::testing
