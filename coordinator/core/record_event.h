// What happens to the smaller records: trials, checkpoints, certificates. Pure.
#pragma once

#include <string>
#include <variant>

#include "coordinator/core/model.h"

namespace scm {

// The searcher was told how its run ended.
struct TrialExitTold {};
using TrialEvent = std::variant<TrialExitTold>;

// It will not be used any more: its files are damaged or missing.
struct CheckpointGivenUp {
  std::string damage;
};
// It is not needed any more: its files go.
struct CheckpointRemoved {};
using CheckpointEvent = std::variant<CheckpointGivenUp, CheckpointRemoved>;

// The run finished before its abort reached it: the abort saved nothing.
struct AbortSuperseded {};
using CertificateEvent = std::variant<AbortSuperseded>;

void Apply(const TrialEvent& event, Trial& trial);
void Apply(const CheckpointEvent& event, CheckpointRecord& checkpoint);
void Apply(const CertificateEvent& event, CertificateRecord& certificate);

}  // namespace scm
