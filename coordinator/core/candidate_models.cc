#include "coordinator/core/candidate_models.h"

namespace scm::core {

std::vector<std::string> CandidateModels(const ExperimentSpec& spec) {
  if (!spec.model) return {StringAt(spec.opaque_model, "base")};
  std::vector<std::string> models = {spec.model->base};
  if (!spec.model->fallback.empty()) models.push_back(spec.model->fallback);
  return models;
}

std::string CandidateModel(const ExperimentSpec& spec, int64_t index) {
  const std::vector<std::string> models = CandidateModels(spec);
  const bool known = index >= 0 && index < static_cast<int64_t>(models.size());
  return models[known ? static_cast<size_t>(index) : 0];
}

}  // namespace scm::core
