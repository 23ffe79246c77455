// Experiments of which something has changed go on as far as they can.
#pragma once

#include <functional>

#include "absl/strings/string_view.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/stage_driver.h"

namespace scm::controller {

// Runs a part of the work; what it throws is noted, and the rest goes on. False then.
bool Watched(ControllerContext& context, absl::string_view what, const std::function<void()>& work);

// Until nothing moves any more. An experiment whose stages fail here by a fault of this program is
// left alone until the next input.
void AdvanceTouched(ControllerContext& context, StageDriver& stages);

}  // namespace scm::controller
