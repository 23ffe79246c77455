#include "coordinator/core/cost.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace scm {
namespace {

absl::StatusOr<double> GpuRate(const std::string& model, const BudgetSpec& budget) {
  if (const auto exact = budget.gpu_hour.find(model); exact != budget.gpu_hour.end()) {
    return exact->second;
  }
  const std::pair<const std::string, double>* longest = nullptr;
  for (const auto& entry : budget.gpu_hour) {
    if (entry.first == "default" || !absl::StrContains(model, entry.first)) continue;
    if (longest == nullptr || entry.first.size() > longest->first.size()) longest = &entry;
  }
  if (longest != nullptr) return longest->second;
  if (const auto any = budget.gpu_hour.find("default"); any != budget.gpu_hour.end()) {
    return any->second;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the price of GPU \"", model, "\" is not known: add budget.gpu_hour.", model,
                   " or budget.gpu_hour.default to the experiment file"));
}

}  // namespace

absl::StatusOr<double> HourlyRate(const HeldResources& held, const BudgetSpec& budget) {
  double rate = 0;
  if (held.gpus > 0) {
    const absl::StatusOr<double> gpu = GpuRate(held.gpu_model, budget);
    if (!gpu.ok()) return gpu.status();
    rate += *gpu * static_cast<double>(held.gpus);
  }
  if (budget.cpu_hour) {
    rate += *budget.cpu_hour * static_cast<double>(held.cpus);
  } else if (held.gpus == 0 && held.cpus > 0 && !held.beside_gpus) {
    return absl::FailedPreconditionError(
        "the price of a CPU slot is not known: add budget.cpu_hour to the experiment file");
  }
  return rate;
}

}  // namespace scm
