// Files in the checkpoint store that turn out damaged: the checkpoint is not used any more, and
// whoever wanted it goes on from an older one. Controller's thread only.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// Takes the checkpoint out of use and says so in an event; what it was the best of gets the next
// best. One that is out of use already stays as it is. NOT_FOUND: there is no such checkpoint.
absl::Status GiveUpCheckpoint(ControllerContext& context, const std::string& id,
                              const std::string& what);

// Answers the id. An artifact has no older one to go on from: only the event is made.
absl::StatusOr<Reply> TakeDamage(ControllerContext& context, const DamageInput& input);

// An attempt that could not be started because of what TakeDamage was told: it is made again from
// another checkpoint, which costs no retry.
std::optional<TaskEvent> EventOfDamage(ControllerContext& context, const ProcessInput& input);

}  // namespace scm::controller
