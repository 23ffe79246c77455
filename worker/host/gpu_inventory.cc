#include "worker/host/gpu_inventory.h"

#include <dlfcn.h>

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace scm::worker {
namespace {

// What is used of nvml.h (its ABI is stable): opaque device handles, 0 means success.
using NvmlDevice = void*;
struct NvmlMemory {
  unsigned long long total, free, used;
};
struct NvmlUtilization {
  unsigned int gpu, memory;  // percent
};

class Nvml : public GpuInventory {
 public:
  explicit Nvml(void* library) : library_(library) {
    Load("nvmlInit_v2", init_);
    Load("nvmlShutdown", shutdown_);
    Load("nvmlDeviceGetCount_v2", count_);
    Load("nvmlDeviceGetHandleByIndex_v2", handle_);
    Load("nvmlDeviceGetName", name_);
    Load("nvmlDeviceGetUUID", uuid_);
    Load("nvmlDeviceGetMemoryInfo", memory_);
    Load("nvmlDeviceGetUtilizationRates", utilization_);
    ready_ = init_ != nullptr && count_ != nullptr && handle_ != nullptr && name_ != nullptr &&
             init_() == 0;
  }
  ~Nvml() override {
    if (ready_ && shutdown_ != nullptr) shutdown_();
    dlclose(library_);
  }

  std::vector<Gpu> List() override {
    std::vector<Gpu> gpus;
    for (unsigned int i = 0; i < Count(); ++i) {
      NvmlDevice device = nullptr;
      char text[96] = "";
      if (handle_(i, &device) != 0 || name_(device, text, sizeof text) != 0) continue;
      Gpu gpu;
      gpu.index = static_cast<int>(i);
      gpu.product = text;
      gpu.model = GpuModel(text);
      if (uuid_ != nullptr && uuid_(device, text, sizeof text) == 0) gpu.uuid = text;
      NvmlMemory memory{};
      if (memory_ != nullptr && memory_(device, &memory) == 0) {
        gpu.memory_bytes = static_cast<int64_t>(memory.total);
      }
      gpus.push_back(gpu);
    }
    return gpus;
  }

  std::vector<GpuSample> Sample() override {
    std::vector<GpuSample> samples;
    if (utilization_ == nullptr || memory_ == nullptr) return samples;
    for (unsigned int i = 0; i < Count(); ++i) {
      NvmlDevice device = nullptr;
      NvmlUtilization utilization{};
      NvmlMemory memory{};
      if (handle_(i, &device) == 0 && utilization_(device, &utilization) == 0 &&
          memory_(device, &memory) == 0) {
        samples.push_back(
            {static_cast<int>(i), utilization.gpu / 100.0, static_cast<int64_t>(memory.used)});
      }
    }
    return samples;
  }

 private:
  template <typename Function>
  void Load(const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
  }
  unsigned int Count() {
    unsigned int count = 0;
    return ready_ && count_(&count) == 0 ? count : 0;
  }

  void* const library_;
  bool ready_ = false;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*count_)(unsigned int*) = nullptr;
  int (*handle_)(unsigned int, NvmlDevice*) = nullptr;
  int (*name_)(NvmlDevice, char*, unsigned int) = nullptr;
  int (*uuid_)(NvmlDevice, char*, unsigned int) = nullptr;
  int (*memory_)(NvmlDevice, NvmlMemory*) = nullptr;
  int (*utilization_)(NvmlDevice, NvmlUtilization*) = nullptr;
};

class NoGpus : public GpuInventory {
 public:
  std::vector<Gpu> List() override { return {}; }
  std::vector<GpuSample> Sample() override { return {}; }
};

}  // namespace

std::string GpuModel(absl::string_view product_name) {
  static const std::set<std::string>* const vendors =
      new std::set<std::string>{"NVIDIA", "Tesla", "GeForce", "Quadro", "Graphics", "Device"};
  std::string model;
  for (absl::string_view word : absl::StrSplit(product_name, ' ', absl::SkipEmpty())) {
    if (vendors->count(std::string(word)) != 0) continue;
    // "RTX A6000" is sold as A6000, but "RTX 4090" would be a bare number.
    const bool family = word == "RTX" || word == "GTX" || word == "TITAN";
    if (model.empty() && family) {
      model = std::string(word);
      continue;
    }
    word = word.substr(0, word.find('-'));  // "A100-SXM4-80GB"
    const bool number = !word.empty() && absl::ascii_isdigit(static_cast<unsigned char>(word[0]));
    if (model.empty() || (!number && absl::ascii_isalpha(static_cast<unsigned char>(word[0])))) {
      return std::string(word);
    }
    model = absl::StrCat(model, word);
    if (absl::StrContains(product_name, " Ada")) model += "Ada";
    if (absl::StrContains(product_name, "Blackwell")) model += "Blackwell";
    return model;
  }
  return model.empty() ? "GPU" : model;
}

std::vector<Gpu> VisibleGpus(const std::vector<Gpu>& gpus, const char* visible) {
  if (visible == nullptr) return gpus;
  std::vector<Gpu> result;
  for (absl::string_view name : absl::StrSplit(visible, ',')) {
    name = absl::StripAsciiWhitespace(name);
    const Gpu* found = nullptr;
    int index;
    for (const Gpu& gpu : gpus) {
      const bool fits = absl::SimpleAtoi(name, &index)
                            ? gpu.index == index
                            : !name.empty() && absl::StartsWith(gpu.uuid, name);
      if (fits && found == nullptr) found = &gpu;
    }
    if (found == nullptr) break;
    result.push_back(*found);
  }
  return result;
}

std::unique_ptr<GpuInventory> MakeGpuInventory(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return std::make_unique<NoGpus>();
  return std::make_unique<Nvml>(handle);
}

}  // namespace scm::worker
