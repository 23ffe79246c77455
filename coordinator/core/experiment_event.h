// Everything that can happen to an experiment and its stages. docs/run-lifecycle.md is the
// normative description. Pure.
#pragma once

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/model.h"

namespace scm {

struct ExperimentStarted {};
struct StageStarted {
  StageKind stage;
};
// Its gate is not judged.
struct StageSkipped {
  StageKind stage;
  std::string why;
};
// It is over for one candidate model and goes on with the next.
struct StageGoesOn {
  StageKind stage;
  std::string why;
};
struct StageEnded {
  StageKind stage;
  State state = State::kSucceeded;
  std::string gate;  // "passed", "failed", "not_judged"
  std::string reason;
};
struct SearchAdvanced {
  search::SearchState search;
};
struct WinnerChosen {
  TrialId trial;
  Json parameters;
};
struct DecisionTaken {
  std::string decision, headline;
};
// Everything of it is to stop. A pause leaves its state until nothing runs any more.
struct ExperimentStopRequested {
  StopReason reason = StopReason::kCancel;
  std::string rule;  // kAbort
  std::string text;
};
// Nothing of it runs any more: what was asked for is what it is now.
struct ExperimentStopped {};
struct ExperimentResumed {};
struct ExperimentEnded {
  State state = State::kSucceeded;
  std::string reason;
};
// A rule aborted something of it.
struct AbortNoted {
  std::string rule;
};
struct BudgetWarned {};
struct SlipWarned {};

using ExperimentEvent = std::variant<ExperimentStarted, StageStarted, StageSkipped, StageGoesOn,
                                     StageEnded, SearchAdvanced, WinnerChosen, DecisionTaken,
                                     ExperimentStopRequested, ExperimentStopped, ExperimentResumed,
                                     ExperimentEnded, AbortNoted, BudgetWarned, SlipWarned>;
const char* ExperimentEventName(const ExperimentEvent& event);

// FAILED_PRECONDITION, and `experiment` unchanged, where its state or its stage's does not allow
// it.
absl::Status Apply(const ExperimentEvent& event, absl::Time now, Experiment& experiment);

}  // namespace scm
