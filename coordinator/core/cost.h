// What a task costs. A rate that is not known is an error, never zero. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "experiment/spec.h"

namespace scm::core {

// What a worker reports about a GPU.
struct GpuKind {
  std::string model;    // short: "A100", "RTX4090"
  std::string product;  // as the driver names it: "NVIDIA A100-SXM4-80GB"; may be ""
};

// Resources held by one lease.
struct HeldResources {
  std::vector<GpuKind> gpus;
  int64_t cpus = 0;
  // The experiment rents GPUs, although this lease may hold none (a report).
  bool beside_gpus = false;
  double gpu_share = 1;  // of each GPU
};

// The price of a kind of GPU, and the key of budget.gpu_hour that gives it.
struct GpuPrice {
  std::string key;
  double hour = 0;
};

// Whether a key of budget.gpu_hour names this GPU: its words, whole and in this order, are among
// those of the product or of the model, in either case. Words end at white space, '-', '_', '/',
// ',' and brackets, so "A100" and "A100 80GB" name "NVIDIA A100-SXM4-80GB", and "A10" does not. A
// slice of a GPU is another thing than the GPU: a product with the word MIG is named by keys with
// that word only.
bool NamesGpu(absl::string_view key, const GpuKind& gpu);

// Of the keys that name the GPU, the one with the most words counts (then letters, then the first
// in order), else `default`. FAILED_PRECONDITION: none.
absl::StatusOr<GpuPrice> PriceOfGpu(const GpuKind& gpu, const BudgetSpec& budget);

// Money an hour of these resources costs. Every GPU has the price of its own model,
// of which a share costs its part. CPUs cost
// cpu_hour a slot; where that is absent, CPUs beside a GPU are part of the GPU's rate, a task
// without a GPU of an experiment that rents GPUs is free (it runs on the host that was rented with
// them), and CPUs alone are an error. FAILED_PRECONDITION names the missing rate and where to write
// it.
absl::StatusOr<double> HourlyRate(const HeldResources& held, const BudgetSpec& budget);

}  // namespace scm::core
