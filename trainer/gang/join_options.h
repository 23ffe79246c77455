// How long the ranks of a gang wait for each other, and what they do when one has gone.
#pragma once

#include "trainer/gang/liveness.h"
#include "trainer/gang/roll_call.h"

namespace scm::gang {

struct JoinOptions {
  Patience patience;
  LivenessOptions liveness;
};

}  // namespace scm::gang
