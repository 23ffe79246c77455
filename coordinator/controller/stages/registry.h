// Which class carries out which stage: one row a stage.
#pragma once

#include "coordinator/controller/stages/stage.h"

namespace scm::controller {

const Stage& StageOf(StageKind kind);

}  // namespace scm::controller
