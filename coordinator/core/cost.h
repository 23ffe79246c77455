// What a task costs. A rate that is not known is an error, never zero. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "experiment/spec.h"

namespace scm {

// Resources held by one lease.
struct HeldResources {
  int64_t gpus = 0;
  std::string gpu_model;  // as the worker reports it; read only when gpus > 0
  int64_t cpus = 0;
  // The experiment rents GPUs, although this lease may hold none (a report).
  bool beside_gpus = false;
};

// Money an hour of these resources costs. A GPU model takes the rate of its own name, else of the
// longest key of budget.gpu_hour that its name contains (so "H200" prices "NVIDIA H200 SXM"), else
// `default`. CPUs cost cpu_hour a slot; where that is absent, CPUs beside a GPU are part of the
// GPU's rate, a task without a GPU of an experiment that rents GPUs is free (it runs on the host
// that was rented with them), and CPUs alone are an error. FAILED_PRECONDITION names the missing
// rate and where to write it.
absl::StatusOr<double> HourlyRate(const HeldResources& held, const BudgetSpec& budget);

}  // namespace scm
