#include "experiment/spec.h"

#include <algorithm>

namespace scm {

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

bool ExperimentSpec::HasStage(StageKind stage) const {
  return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

}  // namespace scm
