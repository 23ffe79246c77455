#include "coordinator/core/evaluation_parts.h"

#include "absl/strings/str_cat.h"
#include "coordinator/core/candidate_models.h"

namespace scm::core {

std::vector<EvaluationPart> EvaluationParts(const ExperimentSpec& spec, int64_t model_index,
                                            const std::vector<TrainedSeed>& seeds) {
  const std::string model = CandidateModel(spec, model_index);
  EvaluationPart base;
  base.name = "base";
  base.base = base.latency = true;
  std::vector<EvaluationPart> others;
  std::vector<BaselineSpec> baselines;
  if (spec.evaluation) baselines = spec.evaluation->baselines;
  for (const BaselineSpec& baseline : baselines) {
    if (!baseline.predictions.empty()) {
      base.baselines.push_back(baseline.name);
    } else if (baseline.model == model) {
      if (base.name == "base") base.name = baseline.name;
    } else {
      EvaluationPart other;
      other.name = baseline.name;
      other.baselines = {baseline.name};
      others.push_back(std::move(other));
    }
  }
  std::vector<EvaluationPart> parts = {std::move(base)};
  for (const TrainedSeed& seed : seeds) {
    EvaluationPart part;
    part.name = absl::StrCat("seed ", seed.seed);
    part.run = seed.run;
    part.latency = parts.size() == 1;
    parts.push_back(std::move(part));
  }
  parts.insert(parts.end(), others.begin(), others.end());
  return parts;
}

}  // namespace scm::core
