#include "experiment/spec.h"

#include <algorithm>

namespace scm {

bool IsValidationMetric(const std::string& metric) {
  return metric == kValidationLoss || metric == kValidationAccuracy;
}

const char* StageName(StageKind stage) {
  switch (stage) {
    case StageKind::kCheck:
      return "check";
    case StageKind::kSweep:
      return "sweep";
    case StageKind::kReplicate:
      return "replicate";
    case StageKind::kEvaluate:
      return "evaluate";
    case StageKind::kExport:
      return "export";
    case StageKind::kReport:
      return "report";
  }
  return "";
}

std::optional<StageKind> StageFromName(const std::string& name) {
  for (StageKind stage : kAllStages) {
    if (name == StageName(stage)) return stage;
  }
  return std::nullopt;
}

std::vector<std::string> StageNames(const std::vector<StageKind>& stages) {
  std::vector<std::string> names;
  for (const StageKind stage : stages) names.push_back(StageName(stage));
  return names;
}

std::vector<StageKind> StagesFromNames(const std::vector<std::string>& names) {
  std::vector<StageKind> stages;
  for (const std::string& name : names) {
    if (const std::optional<StageKind> stage = StageFromName(name)) stages.push_back(*stage);
  }
  return stages;
}

bool ExperimentSpec::HasStage(StageKind stage) const {
  return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

}  // namespace scm
