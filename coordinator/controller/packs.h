// What a pack needs beyond its events: the end of a run, stops that are not obeyed, and the end of
// an attempt of which only a part has failed. Controller's thread only.
#pragma once

#include <string>

#include "coordinator/controller/context.h"

namespace scm::controller {

// The process is ended as a whole, as after a failure that is worth another try.
void EndAttempt(ControllerContext& context, const TaskId& id, const std::string& message);

// A run that was told to stop and did not say so in time: its process is stopped, and the others
// go on in another attempt.
void ExpireRunStops(ControllerContext& context);

}  // namespace scm::controller
