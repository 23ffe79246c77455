// Applies the abort rules to runs and experiments, and turns verdicts into stops and certificates.
// Controller's thread only.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/controller/context.h"
#include "coordinator/core/policy/abort_policy.h"

namespace scm::controller {

class PolicyRunner {
 public:
  explicit PolicyRunner(ControllerContext* context) : context_(*context) {}

  // The rules over one run, after a validation or as time passes. Stops the run on an abort.
  void Judge(const RunId& id) { JudgeWith(id, ""); }
  // The same, after a training loss or gradient norm that is NaN or infinite, if the rule is on.
  // `note` is what the trainer says about it, "" = nothing.
  void JudgeNonFinite(const RunId& id, const std::string& note);
  // The trainer itself said `diverged`: the run is ABORTED already, this writes the certificate.
  // `rate` is what a second of its lease cost.
  void CertifyDiverged(const RunId& id, const std::string& message, double rate);
  // A run finished before its abort reached it: its certificates saved nothing.
  void VoidAborts(const RunId& id);
  // The coordinator itself stood still for so long: no trainer was silent meanwhile.
  void StoodStill(absl::Duration pause);
  // Stalls of running tasks, budget and slip of running experiments.
  void JudgeAll();
  // The budget rule before a start; on an abort the experiment is stopped and false returned.
  bool MayStart(const TaskId& id);
  // Reports could not arrive before now (recovery, a worker that came back).
  void ExpectReportsFromNow(const TaskId& id) { listening_since_[id] = context_.now; }

 private:
  // The rules over one run, and how many of its validations they have seen.
  struct Watched {
    std::vector<std::unique_ptr<policy::AbortPolicy>> policies;
    policy::RunWatches watches;
    uint64_t revision = 0;
    size_t seen = 0;
  };
  void JudgeWith(const RunId& id, const std::string& note);
  // What is known of a run beside its validations.
  policy::RunHistory FactsOf(const Run& run) const;
  // Its watches, shown the validations that are new.
  const policy::RunWatches& WatchesOf(const Run& run, const policy::RunHistory& facts);
  void Warn(const RunId& id, const policy::Verdict& verdict);
  // When the task's trainer last wrote a report. What it wrote may wait on its worker behind files
  // that cannot be stored yet, so the worker's word counts as much as what has arrived.
  absl::Time LastSign(const Task& task) const;
  // Since when reports of the task could have come.
  absl::Time ListeningSince(const TaskId& id) const;
  void AbortRun(const RunId& id, const policy::Verdict& verdict);
  void AbortExperiment(const ExperimentId& id, const policy::Verdict& verdict);
  CertificateId Certify(const policy::Evidence& evidence, const ExperimentId& experiment,
                        const Run* run, double rate);
  void JudgeTask(const TaskId& id);
  void JudgeBudgetAndSlip(const ExperimentId& id);

  ControllerContext& context_;
  std::map<RunId, Watched> watched_;  // runs that have not ended
  std::map<TaskId, absl::Time> listening_since_;
  std::set<std::pair<RunId, std::string>> undecided_;  // said once a run, rule and topic
};

// What stopping a run now leaves unspent, from its measured speed; seconds < 0 = unknown speed.
struct SavedByStop {
  int64_t steps = 0;
  double seconds = -1, money = -1;
};
SavedByStop Savings(const ControllerContext& context, const Run& run, double rate);

}  // namespace scm::controller
