#include "worker/host/gpu_book.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "worker/host/gpu_inventory.h"

namespace scm::worker {
namespace {

// Where the driver tells no UUID, the index is all there is.
std::string NameOf(const Gpu& gpu) {
  return gpu.uuid.empty() ? absl::StrCat("index ", gpu.index) : gpu.uuid;
}

// "GPU 1 (NVIDIA H200, GPU-6f2a…)".
std::string TextOf(const Gpu& gpu) {
  return absl::StrCat("GPU ", gpu.index, " (", gpu.product, gpu.uuid.empty() ? "" : ", ", gpu.uuid,
                      ")");
}

std::vector<Gpu>::iterator Find(std::vector<Gpu>& gpus, const std::string& name) {
  return std::find_if(gpus.begin(), gpus.end(),
                      [&name](const Gpu& gpu) { return NameOf(gpu) == name; });
}

}  // namespace

GpuBook::GpuBook(const char* visible)
    : visible_(visible == nullptr ? std::nullopt : std::optional<std::string>(visible)) {}

void GpuBook::Keep(const std::string& uuid, int index) { indexes_[uuid] = index; }

// The driver's own index, unless another GPU has it.
int GpuBook::IndexFor(const Gpu& gpu, const std::vector<Gpu>& listed) const {
  const auto kept = indexes_.find(NameOf(gpu));
  if (kept != indexes_.end()) return kept->second;
  std::set<int> taken;
  for (const auto& [name, index] : indexes_) taken.insert(index);
  if (!taken.contains(gpu.index)) return gpu.index;
  for (const Gpu& other : listed) taken.insert(other.index);
  int free = 0;
  while (taken.contains(free)) ++free;
  return free;
}

std::vector<std::string> GpuBook::Observe(const std::vector<Gpu>& listed) {
  std::set<std::string> present;
  for (const Gpu& gpu : listed) {
    Gpu seen = gpu;
    seen.index = IndexFor(gpu, listed);
    const std::string name = NameOf(gpu);
    indexes_[name] = seen.index;
    present.insert(name);
    const auto known = Find(known_, name);
    if (known == known_.end()) {
      known_.push_back(seen);
    } else {
      *known = seen;
    }
  }
  // Of all that are known, so that a name of one that is gone does not end the list of the rest.
  std::vector<Gpu> offered =
      VisibleGpus(known_, visible_.has_value() ? visible_->c_str() : nullptr);
  std::erase_if(offered, [&present](const Gpu& gpu) { return !present.contains(NameOf(gpu)); });
  std::vector<std::string> news;
  for (const Gpu& gpu : offered_) {
    if (Find(offered, NameOf(gpu)) != offered.end()) continue;
    news.push_back(absl::StrCat(TextOf(gpu), " is gone: the driver does not list it any more"));
  }
  for (const Gpu& gpu : offered) {
    if (Find(offered_, NameOf(gpu)) == offered_.end()) {
      news.push_back(absl::StrCat(TextOf(gpu), " is there"));
    }
  }
  offered_ = std::move(offered);
  observed_ = true;
  return news;
}

std::vector<std::string> GpuBook::UuidsOf(const std::vector<int>& indexes) const {
  std::vector<std::string> uuids;
  for (const int index : indexes) {
    const auto gpu = std::find_if(known_.begin(), known_.end(),
                                  [index](const Gpu& known) { return known.index == index; });
    uuids.push_back(gpu == known_.end() ? "" : gpu->uuid);
  }
  return uuids;
}

std::optional<int> GpuBook::IndexOf(const std::string& uuid) const {
  const auto index = indexes_.find(uuid);
  return index == indexes_.end() ? std::nullopt : std::optional<int>(index->second);
}

bool GpuBook::IsOffered(const std::string& uuid) const {
  return std::any_of(offered_.begin(), offered_.end(),
                     [&uuid](const Gpu& gpu) { return gpu.uuid == uuid; });
}

std::string GpuBook::Missing(const std::vector<std::string>& uuids) const {
  for (const std::string& uuid : uuids) {
    if (uuid.empty() || IsOffered(uuid)) continue;
    for (const Gpu& gpu : known_) {
      if (gpu.uuid == uuid) return absl::StrCat(TextOf(gpu), " is gone");
    }
    // Granted to an earlier daemon, and not seen by this one.
    if (observed_) return absl::StrCat("the GPU ", uuid, " is gone");
  }
  return "";
}

}  // namespace scm::worker
