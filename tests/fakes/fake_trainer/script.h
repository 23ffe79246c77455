// What the fake trainer plays: read from SCM_SPEC.parameters.trainer.parameters, over which the
// JSON object in the environment variable SCM_FAKE is laid. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::fake {

struct Script {
  // good, flat, slow, diverging, nan, inverted (accuracy below chance), plateau. Slow is the slow
  // learner that no_convergence must spare, ten times as fast: 3.5 % of the loss in 100 steps, 7 %
  // in 200.
  std::string curve = "good";
  double best_learning_rate = 2e-4;  // the "good" curve ends lower the nearer the trial is to it
  int64_t nan_at_step = 20;          // curve nan: the first non-finite training loss
  bool reports_diverged = true;      // curve nan: ends with `failed`, kind diverged
  double noise = 0.01;
  int64_t step_ms = 0;
  int64_t progress_every = 1;
  int64_t items = 200, choices = 4;
  double deff = 1.5;
  bool counts = true;  // validations carry counts
  int64_t payload_bytes = 1024;

  // Faults. Those of `fault_attempts` attempts happen in attempts 1 … n only (0 = in every one).
  int64_t fault_attempts = 0;
  int64_t only_seed = -1;     // plays the curve and the faults; −1: every one does
  int64_t fault_rank = -1;    // only in this rank of a gang; −1: in every one
  int64_t exit_at_step = -1;  // ends the process there…
  int64_t exit_code = 1;      // …with this code; negative: by this signal
  std::string fail_kind;      // …after a `failed` report of this kind
  int64_t hang_at_step = -1;  // silent from there on, deaf to commands too
  bool ignore_stop = false;   // reads the command and goes on
  bool ignore_sigterm = false;
  int64_t sigterm_exit = -1;     // handles SIGTERM: says so in its log and exits with this code
  bool hang_at_exit = false;     // stays after its last word
  int64_t fork_children = 0;     // sleeping processes left behind
  bool bad_checkpoint = false;   // reports a checkpoint directory that does not exist
  bool torn_line = false;        // ends in the middle of a report (with exit_at_step)
  bool unknown_reports = false;  // also sends types and keys nobody knows
  bool bare_nan = false;         // non-finite numbers as Python prints them

  // Task kinds evaluate and report.
  double base_accuracy = 0.25, seed_accuracy = 0.75;
  std::string decision = "go";
};

// INVALID_ARGUMENT names an unknown key, so that a misspelt script is noticed.
absl::StatusOr<Script> ParseScript(const Json& parameters, const std::string& environment);

}  // namespace scm::fake
