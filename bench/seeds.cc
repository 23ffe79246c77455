#include "bench/seeds.h"

#include <utility>

#include "common/status_macros.h"

namespace scm::bench {

absl::StatusOr<Seeds> Seeds::Add(trainer::LlamaModel* model, const std::vector<uint64_t>& seeds,
                                 const SeedOptions& options) {
  Seeds added;
  added.model_ = model;
  added.options_ = options;
  added.seeds_ = seeds;
  for (const uint64_t seed : seeds) {
    SCM_RETURN_IF_ERROR(model->AddAdapterSet(options.lora, seed));
  }
  added.optimizer_ = trainer::MakeOptimizer(model);
  for (size_t set = 0; set < seeds.size(); ++set) {
    added.adamws_.push_back(std::make_unique<trainer::AdamW>(
        model->adapters(set), trainer::AdamWConfig(), &added.optimizer_->moments()));
  }
  return added;
}

absl::StatusOr<std::vector<Seeds::Result>> Seeds::Step(const trainer::Batch& batch, size_t count,
                                                       int64_t step) {
  double labels = 0;
  for (const int32_t label : batch.labels) labels += label >= 0;
  std::vector<trainer::MicroBatch> work;
  std::vector<trainer::RunUpdate> updates;
  for (size_t set = 0; set < count; ++set) {
    model_->ZeroGradients(set);
    work.push_back({&batch, set, 1 / labels, seeds_[set], step, 0});
    updates.push_back({adamws_[set].get(), set, options_.learning_rate, options_.max_grad_norm});
  }
  SCM_RETURN_IF_ERROR(model_->QueueTrainStep(work));
  SCM_RETURN_IF_ERROR(optimizer_->Step(&updates, [] {}));
  std::vector<Result> results;
  for (const trainer::RunUpdate& update : updates) {
    results.push_back({update.loss_sum / labels, update.norm});
  }
  return results;
}

}  // namespace scm::bench
