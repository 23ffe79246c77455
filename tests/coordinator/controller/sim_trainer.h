// A scripted trainer on the virtual clock: its reports are a function of the run's seed and
// parameters, so that what a disturbed run leaves can be compared with what an undisturbed one
// would.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/json.h"

namespace scm::simulation {

// What an attempt does that it should not.
enum class TrainerFault {
  kNone,
  kCrash,           // exit code 137 without a last word
  kInfrastructure,  // says so
  kOutOfMemory,
  kBadInput,
  kDiverged,
  kNaN,         // reports a loss that is no number, and goes on
  kHang,        // reports nothing any more, and obeys no command
  kIgnoreStop,  // goes on after a stop, until it is killed
};

struct FaultAt {
  TrainerFault kind = TrainerFault::kNone;
  int64_t step = 0;  // steps (or items) after the start of the attempt
};

// Losses of a run at a step.
double TrainLoss(int64_t seed, double learning_rate, int64_t step);
double ValidationLoss(int64_t seed, double learning_rate, int64_t step);

class SimTrainer {
 public:
  SimTrainer(const Json& spec, FaultAt fault);

  // One step of work: appends report lines to the spool. Nothing once it has ended.
  void Work();
  void Stop(bool checkpoint);
  void StopRun(const std::string& run);  // of a pack
  void Kill() { exit_code_ = 137; }
  std::optional<int> exit_code() const { return exit_code_; }
  const std::string& spool() const { return spool_; }
  double seconds_per_step() const { return seconds_per_step_; }

 private:
  void Train();
  // Of a pack: each run that goes on does a step.
  void WorkPack();
  void PassOn(SimTrainer& run);
  void Serve();  // evaluate, export, report
  bool Misbehave();
  void Write(const Json& report);
  void Checkpoint();
  void Validate();

  Json spec_;
  FaultAt fault_;
  std::string kind_;
  int64_t rank_ = 0, seed_ = 0, step_ = 0, done_ = 0, saved_ = 0, stop_at_ = 0;
  double learning_rate_ = 0, seconds_per_step_ = 1;
  bool started_ = false, hangs_ = false;
  std::optional<bool> stop_;  // with a checkpoint?
  std::optional<int> exit_code_;
  std::string spool_;
  std::vector<std::unique_ptr<SimTrainer>> runs_;  // of a pack, that go on
};

}  // namespace scm::simulation
