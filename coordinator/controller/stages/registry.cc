#include "coordinator/controller/stages/registry.h"

#include <iterator>

#include "coordinator/controller/stages/check_stage.h"
#include "coordinator/controller/stages/evaluate_stage.h"
#include "coordinator/controller/stages/export_stage.h"
#include "coordinator/controller/stages/replicate_stage.h"
#include "coordinator/controller/stages/report_stage.h"
#include "coordinator/controller/stages/sweep_stage.h"

namespace scm::controller {
namespace {

template <typename S>
const Stage& Only() {
  static const S& stage = *new S;
  return stage;
}

// In the order of StageKind.
constexpr const Stage& (*kStages[])() = {
    Only<CheckStage>,    Only<SweepStage>,  Only<ReplicateStage>,
    Only<EvaluateStage>, Only<ExportStage>, Only<ReportStage>,
};
static_assert(std::size(kStages) == std::size(kAllStages), "one row a stage");

}  // namespace

const Stage& StageOf(StageKind kind) { return kStages[static_cast<size_t>(kind)](); }

}  // namespace scm::controller
