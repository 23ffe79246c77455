// Stands in for NVIDIA's management library: two GPUs, the second of which hides its utilisation.
// The file that SCM_FAKE_GPUS names, if any, holds the digits of those that are there. As with the
// real one, a session goes on with those that it began with; one that is not there any more keeps
// its name, and is lost when it is asked itself. Without a digit at all the library does not start.
// With SCM_FAKE_MIG the first is cut into two slices (handles 11 and 13) and has a place for a
// third.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kIsLost = 15;

struct Gpus {
  bool there[2] = {true, true};
};

Gpus Now() {
  Gpus gpus;
  const char* path = std::getenv("SCM_FAKE_GPUS");
  if (path == nullptr) return gpus;
  char text[16] = "";
  if (FILE* file = std::fopen(path, "r")) {
    text[std::fread(text, 1, sizeof text - 1, file)] = '\0';
    std::fclose(file);
  }
  gpus.there[0] = std::strchr(text, '0') != nullptr;
  gpus.there[1] = std::strchr(text, '1') != nullptr;
  return gpus;
}

Gpus session;  // what was there at its start

}  // namespace

extern "C" {

int nvmlInit_v2() {
  session = Now();
  return session.there[0] || session.there[1] ? 0 : 9;
}
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count =
      static_cast<unsigned int>(session.there[0]) + static_cast<unsigned int>(session.there[1]);
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  const unsigned long number = static_cast<unsigned long>(index) + (session.there[0] ? 0 : 1);
  *device = reinterpret_cast<void*>(number + 1);
  return number < 2 && session.there[number] ? 0 : 2;
}
int nvmlDeviceGetName(void* device, char* name, unsigned int size) {
  if (reinterpret_cast<unsigned long>(device) > 10) {
    std::snprintf(name, size, "NVIDIA H200 MIG 3g.71gb");
    return 0;
  }
  const bool first = device == reinterpret_cast<void*>(1ul);
  std::snprintf(name, size, "%s", first ? "NVIDIA H200" : "NVIDIA A100-SXM4-80GB");
  return 0;
}
int nvmlDeviceGetUUID(void* device, char* uuid, unsigned int size) {
  const unsigned long number = reinterpret_cast<unsigned long>(device);
  std::snprintf(uuid, size, number > 10 ? "MIG-%lu" : "GPU-%lu", number - 1);
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  const unsigned long number = reinterpret_cast<unsigned long>(device);
  const bool slice = number > 10;
  if (!slice && !Now().there[number - 1]) return kIsLost;
  total_free_used[0] = (slice ? 69ull : 141ull) << 30;
  total_free_used[1] = 140ull << 30;
  total_free_used[2] = 1ull << 30;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned int* gpu_memory) {
  gpu_memory[0] = 37;
  gpu_memory[1] = 5;
  return device == reinterpret_cast<void*>(1ul) ? 0 : 3;
}

#ifdef SCM_FAKE_MIG
int nvmlDeviceGetMigMode(void* device, unsigned int* now, unsigned int* after_reset) {
  const bool cut = device == reinterpret_cast<void*>(1ul);
  *now = *after_reset = cut ? 1 : 0;
  return cut ? 0 : 3;  // the other kind does not know of slices
}
int nvmlDeviceGetMaxMigDeviceCount(void* /*device*/, unsigned int* count) {
  *count = 3;
  return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void* /*device*/, unsigned int index, void** slice) {
  if (index == 1) return 6;  // nothing there
  *slice = reinterpret_cast<void*>(11ul + index);
  return 0;
}
#endif

}  // extern "C"
