#include "scmctl/plan/gpu_prices.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/human.h"

namespace scm::ctl {
namespace {

// As the driver names it, where the worker tells.
std::string NameOf(const core::GpuKind& gpu) {
  return gpu.product.empty() ? gpu.model : gpu.product;
}

// The kinds of GPU of all workers, by name.
std::map<std::string, core::GpuKind> KindsOf(const PlanInventory& inventory) {
  std::map<std::string, core::GpuKind> kinds;
  for (const PlanWorker& worker : inventory.workers) {
    for (const PlanGpu& gpu : worker.gpus) kinds.emplace(NameOf(gpu.kind), gpu.kind);
  }
  return kinds;
}

void WarnOfUnusedKeys(const BudgetSpec& budget, const std::map<std::string, core::GpuKind>& kinds,
                      Json& warnings) {
  std::vector<std::string> names;
  for (const auto& [name, gpu] : kinds) names.push_back(name);
  for (const auto& [key, price] : budget.gpu_hour) {
    if (key == "default") continue;
    bool used = false;
    for (const auto& [name, gpu] : kinds) used = used || core::NamesGpu(key, gpu);
    if (used) continue;
    warnings.push_back(
        absl::StrCat("budget.gpu_hour.", key, " names none of the GPUs that workers have now: ",
                     absl::StrJoin(names, ", "), ". A key names a GPU by whole words of its name"));
  }
}

}  // namespace

Json GpuPrices(const ExperimentSpec& spec, const PlanInventory* inventory, Json& warnings) {
  if (inventory == nullptr || !spec.budget || spec.resources.gpus == 0) return nullptr;
  const std::map<std::string, core::GpuKind> kinds = KindsOf(*inventory);
  Json prices = Json::array();
  for (const auto& [name, gpu] : kinds) {
    const absl::StatusOr<core::GpuPrice> price = core::PriceOfGpu(gpu, *spec.budget);
    prices.push_back({{"gpu", name},
                      {"model", gpu.model},
                      {"key", price.ok() ? Json(price->key) : Json(nullptr)},
                      {"gpu_hour", price.ok() ? Json(price->hour) : Json(nullptr)}});
  }
  if (!kinds.empty()) WarnOfUnusedKeys(*spec.budget, kinds, warnings);
  return prices;
}

std::string GpuPriceText(const Json& price, const std::string& currency) {
  const std::string gpu = StringAt(price, "gpu"), model = StringAt(price, "model");
  const std::string name = gpu == model ? gpu : absl::StrCat(gpu, " (", model, ")");
  if (MemberAt(price, "key").is_null()) {
    return absl::StrCat(name, ": no price, so nothing is started there; add budget.gpu_hour.",
                        model, " or budget.gpu_hour.default");
  }
  return absl::StrCat(name, ": ", HumanMoney(NumberAt(price, "gpu_hour", 0), currency),
                      " an hour, by budget.gpu_hour.", StringAt(price, "key"));
}

}  // namespace scm::ctl
