#include "worker/host/gpu_inventory.h"

#include <dlfcn.h>

#include <algorithm>
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
constexpr int kGpuIsLost = 15;
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
    Load("nvmlDeviceGetMigMode", mig_mode_);
    Load("nvmlDeviceGetMaxMigDeviceCount", most_slices_);
    Load("nvmlDeviceGetMigDeviceHandleByIndex", slice_);
    Init();
  }
  ~Nvml() override {
    if (ready_ && shutdown_ != nullptr) shutdown_();
    dlclose(library_);
  }

  std::optional<std::vector<Gpu>> Look() override {
    std::optional<std::vector<Gpu>> gpus = ListOnce();
    if (gpus && !LacksOne(*gpus)) return gpus;
    // A session of the library goes on with the GPUs that it began with: one that has come back is
    // seen by a new one.
    if (ready_ && shutdown_ != nullptr) shutdown_();
    Init();
    gpus = ListOnce();
    if (!gpus) return gpus;
    for (const Gpu& gpu : *gpus) seen_.insert(gpu.uuid);
    return gpus;
  }

  std::vector<GpuSample> Sample() override {
    std::vector<GpuSample> samples;
    if (utilization_ == nullptr || memory_ == nullptr) return samples;
    for (const Device& device : Devices()) {
      NvmlUtilization utilization{};
      NvmlMemory memory{};
      if (utilization_(device.handle, &utilization) == 0 && memory_(device.handle, &memory) == 0) {
        samples.push_back({device.index, utilization.gpu / 100.0, static_cast<int64_t>(memory.used),
                           UuidOf(device.handle)});
      }
    }
    return samples;
  }

 private:
  struct Device {
    NvmlDevice handle;
    int index;
    std::optional<int> slice_of;
  };

  void Init() {
    ready_ = init_ != nullptr && count_ != nullptr && handle_ != nullptr && name_ != nullptr &&
             init_() == 0;
  }
  std::string UuidOf(NvmlDevice device) {
    char text[96] = "";
    return uuid_ != nullptr && uuid_(device, text, sizeof text) == 0 ? text : "";
  }
  // Whether one that was there before is not.
  bool LacksOne(const std::vector<Gpu>& gpus) {
    std::set<std::string> present;
    for (const Gpu& gpu : gpus) present.insert(gpu.uuid);
    const bool lacks = !std::includes(present.begin(), present.end(), seen_.begin(), seen_.end());
    if (!lacks) seen_ = std::move(present);
    return lacks;
  }

  std::optional<std::vector<Gpu>> ListOnce() {
    unsigned int count = 0;
    if (!ready_ || count_(&count) != 0) return std::nullopt;
    std::vector<Gpu> gpus;
    for (const Device& device : Devices()) {
      char text[96] = "";
      if (name_(device.handle, text, sizeof text) != 0) continue;
      Gpu gpu;
      gpu.index = device.index;
      gpu.slice_of = device.slice_of;
      gpu.product = text;
      gpu.model = GpuModel(text);
      gpu.uuid = UuidOf(device.handle);
      NvmlMemory memory{};
      const int told = memory_ == nullptr ? 0 : memory_(device.handle, &memory);
      // Its name and UUID are remembered; of its memory the GPU itself is asked.
      if (told == kGpuIsLost) continue;
      if (told == 0) gpu.memory_bytes = static_cast<int64_t>(memory.total);
      gpus.push_back(gpu);
    }
    return gpus;
  }

  template <typename Function>
  void Load(const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
  }
  unsigned int Count() {
    unsigned int count = 0;
    return ready_ && count_(&count) == 0 ? count : 0;
  }
  // Whole GPUs by the driver's indexes; where one is cut into slices (MIG), these instead, as CUDA
  // sees no more of it. Their indexes follow those of all GPUs.
  std::vector<Device> Devices() {
    std::vector<Device> devices;
    const unsigned int count = Count();
    int next = static_cast<int>(count);
    for (unsigned int i = 0; i < count; ++i) {
      Device device{nullptr, static_cast<int>(i), std::nullopt};
      if (handle_(i, &device.handle) != 0) continue;
      if (!IsCut(device.handle)) {
        devices.push_back(device);
        continue;
      }
      for (const NvmlDevice slice : SlicesOf(device.handle)) {
        devices.push_back({slice, next++, device.index});
      }
    }
    return devices;
  }
  bool IsCut(NvmlDevice device) {
    unsigned int now = 0, after_reset = 0;
    return mig_mode_ != nullptr && mig_mode_(device, &now, &after_reset) == 0 && now == 1;
  }
  std::vector<NvmlDevice> SlicesOf(NvmlDevice device) {
    std::vector<NvmlDevice> slices;
    unsigned int places = 0;
    if (most_slices_ == nullptr || slice_ == nullptr || most_slices_(device, &places) != 0) {
      return slices;
    }
    for (unsigned int i = 0; i < places; ++i) {
      NvmlDevice slice = nullptr;
      if (slice_(device, i, &slice) == 0) slices.push_back(slice);  // a place may be empty
    }
    return slices;
  }

  void* const library_;
  bool ready_ = false;
  std::set<std::string> seen_;  // UUIDs that were there at the last look, or lack since
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*count_)(unsigned int*) = nullptr;
  int (*handle_)(unsigned int, NvmlDevice*) = nullptr;
  int (*name_)(NvmlDevice, char*, unsigned int) = nullptr;
  int (*uuid_)(NvmlDevice, char*, unsigned int) = nullptr;
  int (*memory_)(NvmlDevice, NvmlMemory*) = nullptr;
  int (*utilization_)(NvmlDevice, NvmlUtilization*) = nullptr;
  int (*mig_mode_)(NvmlDevice, unsigned int*, unsigned int*) = nullptr;
  int (*most_slices_)(NvmlDevice, unsigned int*) = nullptr;
  int (*slice_)(NvmlDevice, unsigned int, NvmlDevice*) = nullptr;
};

class NoGpus : public GpuInventory {
 public:
  std::optional<std::vector<Gpu>> Look() override { return std::vector<Gpu>(); }
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
    const size_t before = result.size();
    int index;
    const bool by_index = absl::SimpleAtoi(name, &index);
    for (const Gpu& gpu : gpus) {
      if (by_index && gpu.slice_of.value_or(gpu.index) == index) result.push_back(gpu);
      const bool first = result.size() == before;
      if (!by_index && first && !name.empty() && absl::StartsWith(gpu.uuid, name)) {
        result.push_back(gpu);
      }
    }
    if (result.size() == before) break;
  }
  return result;
}

std::unique_ptr<GpuInventory> MakeGpuInventory(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return std::make_unique<NoGpus>();
  return std::make_unique<Nvml>(handle);
}

}  // namespace scm::worker
