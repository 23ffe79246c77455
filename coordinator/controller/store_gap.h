// A store that is older than what its workers know: a back-up was put back while they lived. What
// went on since is noticed where workers register, and nothing that somebody has seen since is
// given another meaning: ids, attempts and epochs go on beyond it. Controller's thread only.
#pragma once

#include <string>

#include "coordinator/controller/context.h"

namespace scm::controller {

// Takes in the numbers of the attempts that the worker runs or ran last. Numbers far beyond the
// store's own are no memory of it, and are left alone.
void LearnFrom(ControllerContext& context, const WorkerId& worker, const RegisterInput& input);

// The worker knows of `what`, and the store does not. Said once.
void NoteGap(ControllerContext& context, const WorkerId& worker, const std::string& what);

// Takes in that a blob "r-3/100" or "k-9/report" was written under this attempt and epoch.
void LearnFromBlob(ControllerContext& context, const checkpoint::Manifest& manifest);

}  // namespace scm::controller
