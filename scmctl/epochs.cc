#include "scmctl/epochs.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "experiment/parse.h"
#include "model/model_source.h"
#include "model/open_model.h"
#include "trainer/data/training_data.h"

namespace scm::ctl {
namespace {

// Of every run that is trained to its end.
std::vector<uint64_t> SeedsOf(const ExperimentSpec& spec) {
  std::vector<uint64_t> seeds;
  if (spec.sweep) seeds.push_back(static_cast<uint64_t>(spec.sweep->seed));
  for (const int64_t seed : spec.replicate.seeds) seeds.push_back(static_cast<uint64_t>(seed));
  if (seeds.empty()) seeds.push_back(1);
  return seeds;
}

}  // namespace

absl::StatusOr<trainer::TrainingRows> CountTrainingRows(const ExperimentSpec& spec) {
  if (!spec.trainer.built_in() || !spec.model || !spec.data) {
    return absl::FailedPreconditionError("only what the built-in trainer trains can be counted");
  }
  SCM_ASSIGN_OR_RETURN(const auto source, model::OpenModel(spec.model->base));
  SCM_ASSIGN_OR_RETURN(const auto tokenizer, source->MakeTokenizer());
  trainer::JobSpec job;
  job.data = *spec.data;
  job.training = spec.training;
  job.trainer = BuiltInParameters(spec);
  std::vector<std::string> warnings;
  SCM_ASSIGN_OR_RETURN(const corpus::Corpus corpus, trainer::LoadJobCorpus(job.data, &warnings));
  SCM_ASSIGN_OR_RETURN(const corpus::SplitAssignment split, trainer::SplitOf(corpus, job.data));
  SCM_ASSIGN_OR_RETURN(const trainer::TrainingData data,
                       trainer::MakeTrainingData(job, corpus, split, *source, *tokenizer));
  trainer::TrainingRows rows;
  for (const trainer::TokenExample& example : data.train) rows.inputs.push_back(example.inputs());
  rows.plan = {spec.training.batch_size, spec.data->packing, spec.data->max_length};
  rows.gradient_accumulation = spec.training.gradient_accumulation;
  return rows;
}

absl::StatusOr<int64_t> StepsOfTraining(const ExperimentSpec& spec,
                                        const trainer::TrainingRows& rows) {
  return trainer::StepsOfEpochs(rows, *spec.training.epochs, SeedsOf(spec));
}

Json EpochsToJson(const ExperimentSpec& spec, const trainer::TrainingRows& rows) {
  const int64_t steps = spec.training.max_steps;
  return {{"examples", rows.inputs.size()},
          {"steps", steps},
          {"epochs", trainer::EpochsOfSteps(rows, steps, SeedsOf(spec).front())}};
}

}  // namespace scm::ctl
