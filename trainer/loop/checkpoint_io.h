// Checkpoints of the training loop: a directory "step-N" that holds the adapter in PEFT's format,
// so that it can be used as it is, and what an exact resume needs.
//
//   adapter_config.json, adapter_model.safetensors   the adapter, and a README.md on its use
//   optimizer.safetensors                            AdamW's moments
//   training_state.json                              everything else
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "trainer/compute/model.h"
#include "trainer/loop/adamw.h"
#include "trainer/loop/train_run.h"

namespace scm::trainer {

class CheckpointWriter : public CheckpointSink {
 public:
  // Checkpoints go to `work_dir`/checkpoints/step-N. `model` must outlive the writer.
  CheckpointWriter(std::string work_dir, LoraConfig config, std::string base_model,
                   LlamaModel* model, size_t adapter_set = 0);
  // Written beside its place, fsynced and renamed: a directory named step-N is complete.
  absl::StatusOr<std::string> Save(const TrainingState& state, AdamW& optimizer) override;

 private:
  std::string root_;
  LoraConfig config_;
  std::string base_model_;
  LlamaModel* model_;
  size_t adapter_set_;
};

// Fills an adapter set and the optimiser's moments from `dir` and returns the rest.
absl::StatusOr<TrainingState> ReadCheckpoint(const std::string& dir, LlamaModel* model,
                                             AdamW* optimizer, size_t adapter_set = 0);

// training_state.json of `dir` alone.
absl::StatusOr<TrainingState> ReadTrainingState(const std::string& dir);

}  // namespace scm::trainer
