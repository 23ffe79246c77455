#include "coordinator/core/cost.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"

namespace scm::core {
namespace {

constexpr char kAnyGpu[] = "default";

std::vector<std::string> WordsOf(absl::string_view name) {
  return absl::StrSplit(absl::AsciiStrToLower(name), absl::ByAnyChar(" \t\n\r\f\v-_/,()[]"),
                        absl::SkipEmpty());
}

bool Has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Whether all of `wanted` are in `words`, in this order.
bool IsAmong(const std::vector<std::string>& wanted, const std::vector<std::string>& words) {
  auto at = words.begin();
  for (const std::string& word : wanted) {
    at = std::find(at, words.end(), word);
    if (at == words.end()) return false;
    ++at;
  }
  return true;
}

}  // namespace

bool NamesGpu(absl::string_view key, const GpuKind& gpu) {
  constexpr char kSlice[] = "mig";
  const std::vector<std::string> wanted = WordsOf(key), product = WordsOf(gpu.product),
                                 model = WordsOf(gpu.model);
  if (wanted.empty() || Has(wanted, kSlice) != (Has(product, kSlice) || Has(model, kSlice))) {
    return false;
  }
  return IsAmong(wanted, product) || IsAmong(wanted, model);
}

absl::StatusOr<GpuPrice> PriceOfGpu(const GpuKind& gpu, const BudgetSpec& budget) {
  const auto rank = [](const std::string& key) {
    return std::make_tuple(WordsOf(key).size(), key.size());
  };
  const std::pair<const std::string, double>* best = nullptr;
  for (const auto& entry : budget.gpu_hour) {
    if (entry.first == kAnyGpu || !NamesGpu(entry.first, gpu)) continue;
    if (best == nullptr || rank(entry.first) > rank(best->first)) best = &entry;
  }
  if (best != nullptr) return GpuPrice{best->first, best->second};
  if (const auto any = budget.gpu_hour.find(kAnyGpu); any != budget.gpu_hour.end()) {
    return GpuPrice{any->first, any->second};
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the price of GPU \"", gpu.model, "\" is not known: add budget.gpu_hour.",
                   gpu.model, " or budget.gpu_hour.default to the experiment file"));
}

absl::StatusOr<double> HourlyRate(const HeldResources& held, const BudgetSpec& budget) {
  double rate = 0;
  for (const GpuKind& gpu : held.gpus) {
    SCM_ASSIGN_OR_RETURN(const GpuPrice price, PriceOfGpu(gpu, budget));
    rate += price.hour * held.gpu_share;
  }
  if (budget.cpu_hour) {
    rate += *budget.cpu_hour * static_cast<double>(held.cpus);
  } else if (held.gpus.empty() && held.cpus > 0 && !held.beside_gpus) {
    return absl::FailedPreconditionError(
        "the price of a CPU slot is not known: add budget.cpu_hour to the experiment file");
  }
  return rate;
}

}  // namespace scm::core
