// What `plan` says about the price of each kind of GPU that the coordinator knows. Pure.
#pragma once

#include <string>

#include "common/json.h"
#include "scmctl/plan/plan.h"

namespace scm::ctl {

// One entry a kind of GPU of the inventory's workers, with the key of budget.gpu_hour that prices
// it; null without an inventory, a budget, or GPUs in the experiment. A key that names none of them
// becomes a warning.
Json GpuPrices(const ExperimentSpec& spec, const PlanInventory* inventory, Json& warnings);

// "NVIDIA H200 (H200): $3.50 an hour, by budget.gpu_hour.H200".
std::string GpuPriceText(const Json& price, const std::string& currency);

}  // namespace scm::ctl
