// One stage of an experiment: when it is skipped, what it starts, what its tasks work on, and how
// it is judged. A stage keeps nothing: everything that it knows is in the cluster, and everything
// that it changes goes through StageActions. Stages are constants; the controller's thread only.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/controller/spec_builder.h"
#include "coordinator/controller/stages/outcome.h"
#include "coordinator/controller/stages/stage_actions.h"
#include "coordinator/core/stage_needs.h"

namespace scm::controller {

class Stage {
 public:
  explicit Stage(StageKind kind) : kind_(kind) {}
  virtual ~Stage() = default;

  StageKind kind() const { return kind_; }
  // Program, GPUs and work of its tasks.
  const core::StageNeeds& needs() const { return core::NeedsOf(kind_); }

  // "" = it is carried out. Here: why an earlier stage keeps it from its start.
  virtual std::string WhySkipped(const state::Cluster& cluster, const ExperimentId& id) const;
  // Whether the stages behind it are skipped when its gate failed.
  virtual bool gate_blocks() const { return false; }

  // Creates its first tasks. Here: the one that it has.
  virtual void Start(StageActions& actions) const;
  // What a task of it works on, beside the spec. DATA_LOSS: nothing is left to work on. Here:
  // nothing.
  virtual absl::StatusOr<std::vector<SpecInput>> InputsOf(StageActions& actions,
                                                          const Task& task) const;
  // A validation of one of its runs was stored.
  virtual void AfterValidation(StageActions& /*actions*/, const RunId& /*run*/) const {}
  // Tasks of the experiment may have ended; whoever waits for them is told.
  virtual void AfterExits(StageActions& /*actions*/) const {}

  // None of its tasks is open any more. Here: every one must have succeeded.
  virtual StageOutcome Judge(const state::Cluster& cluster, const ExperimentId& id) const;
  // Ends it by its outcome with what follows from that, or goes on with further tasks.
  virtual void Finish(StageActions& actions) const;

 private:
  StageKind kind_;
};

}  // namespace scm::controller
