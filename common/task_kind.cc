#include "common/task_kind.h"

namespace scm {

const char* TaskKindName(TaskKind kind) {
  switch (kind) {
    case TaskKind::kCheck:
      return "check";
    case TaskKind::kTrain:
      return "train";
    case TaskKind::kEvaluate:
      return "evaluate";
    case TaskKind::kExport:
      return "export";
    case TaskKind::kReport:
      return "report";
  }
  return "?";
}

std::optional<TaskKind> TaskKindFromName(const std::string& name) {
  for (const TaskKind kind : kAllTaskKinds) {
    if (name == TaskKindName(kind)) return kind;
  }
  return std::nullopt;
}

bool IsTraining(TaskKind kind) { return kind == TaskKind::kCheck || kind == TaskKind::kTrain; }

}  // namespace scm
