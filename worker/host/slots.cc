#include "worker/host/slots.h"

#include <algorithm>

namespace scm::worker {
namespace {

// Ten shares of 0.1 are one GPU.
constexpr double kRounding = 1e-6;

}  // namespace

Slots::Slots(int count, std::vector<int> cores)
    : count_(count), pin_(static_cast<int>(cores.size()) >= count), cores_(std::move(cores)) {}

std::optional<std::vector<int>> Slots::Take(const std::string& holder, int cpus,
                                            const std::vector<int>& gpus, double gpu_share) {
  if (const auto held = shares_.find(holder); held != shares_.end()) return held->second.cores;
  Share share;
  share.cpus = std::clamp(cpus, 0, count_);
  share.gpus = gpus;
  share.gpu_share = gpu_share;
  int used = 0;
  std::set<int> cores_taken;
  std::map<int, double> gpus_taken;
  for (const auto& [name, other] : shares_) {
    used += other.cpus;
    cores_taken.insert(other.cores.begin(), other.cores.end());
    for (const int gpu : other.gpus) gpus_taken[gpu] += other.gpu_share;
  }
  if (used + share.cpus > count_) return std::nullopt;
  for (int gpu : gpus) {
    if (gpus_taken[gpu] + gpu_share > 1 + kRounding) return std::nullopt;
  }
  for (size_t i = 0; pin_ && i < cores_.size(); ++i) {
    if (static_cast<int>(share.cores.size()) == share.cpus) break;
    if (cores_taken.count(cores_[i]) == 0) share.cores.push_back(cores_[i]);
  }
  // Cores of adopted attempts may lie outside this worker's present set.
  if (static_cast<int>(share.cores.size()) < share.cpus) share.cores.clear();
  shares_[holder] = share;
  return share.cores;
}

void Slots::Adopt(const std::string& holder, int cpus, const std::vector<int>& cores,
                  const std::vector<int>& gpus, double gpu_share) {
  shares_[holder] = {cpus, cores, gpus, gpu_share};
}

void Slots::Release(const std::string& holder) {
  releases_ += static_cast<int64_t>(shares_.erase(holder));
}

}  // namespace scm::worker
