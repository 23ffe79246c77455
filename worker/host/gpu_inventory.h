// The GPUs of this host through NVIDIA's management library, loaded at run time: no GPU, no driver
// and no library are the ordinary case and mean an empty list.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "worker/link/messages.h"

namespace scm::worker {

// The short name that keys budget.gpu_hour: "NVIDIA H100 80GB HBM3" → "H100", "Tesla T4" → "T4",
// "NVIDIA GeForce RTX 4090" → "RTX4090". Pure.
std::string GpuModel(absl::string_view product_name);

// Those of `gpus` that CUDA_VISIBLE_DEVICES lets this process use (`visible`; null = all of them).
// Names may be indexes or UUIDs (their beginnings); as in CUDA, the first name that fits nothing
// ends the list. The index of a GPU that is cut into slices (MIG) means all of them. Pure.
std::vector<Gpu> VisibleGpus(const std::vector<Gpu>& gpus, const char* visible);

// One thread.
class GpuInventory {
 public:
  virtual ~GpuInventory() = default;
  // A GPU that is cut into slices (MIG) is not listed, but each slice as a GPU of its own. nullopt:
  // the library does not answer, which says nothing about the GPUs (after an update of the driver,
  // say, programs that run go on).
  virtual std::optional<std::vector<Gpu>> Look() = 0;
  std::vector<Gpu> List() { return Look().value_or(std::vector<Gpu>()); }
  // Utilisation of those GPUs of which it can be read.
  virtual std::vector<GpuSample> Sample() = 0;
};

// `library`: normally "libnvidia-ml.so.1". Never null; lists nothing if the library is missing.
std::unique_ptr<GpuInventory> MakeGpuInventory(const std::string& library);

}  // namespace scm::worker
