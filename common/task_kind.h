// What a task does: the word `task.kind` of the trainer protocol (docs/trainer-protocol.md), which
// coordinator, workers and built-in programs share. Pure.
#pragma once

#include <optional>
#include <string>

namespace scm {

enum class TaskKind { kCheck, kTrain, kEvaluate, kExport, kReport };
inline constexpr TaskKind kAllTaskKinds[] = {
    TaskKind::kCheck, TaskKind::kTrain, TaskKind::kEvaluate, TaskKind::kExport, TaskKind::kReport};
const char* TaskKindName(TaskKind kind);  // "check"
std::optional<TaskKind> TaskKindFromName(const std::string& name);
// Whether the experiment's trainer carries it out: check and train. A built-in program does the
// others.
bool IsTraining(TaskKind kind);

}  // namespace scm
