#include "coordinator/core/evaluation_parts.h"

#include "absl/strings/str_cat.h"

namespace scm::core {
namespace {

// A section `model` that belongs to a trainer of one's own may name its base anyway, or not.
std::string TrainedModel(const ExperimentSpec& spec, bool fallback) {
  if (!spec.model) return StringAt(spec.opaque_model, "base");
  return fallback ? spec.model->fallback : spec.model->base;
}

}  // namespace

std::vector<EvaluationPart> EvaluationParts(const ExperimentSpec& spec, bool fallback,
                                            const std::vector<TrainedSeed>& seeds) {
  const std::string model = TrainedModel(spec, fallback);
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
