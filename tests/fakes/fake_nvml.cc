// Stands in for NVIDIA's management library: two GPUs, the second of which hides its utilisation.
// With SCM_FAKE_MIG the first is cut into two slices (handles 11 and 13) and has a place for a
// third.
#include <cstdio>

extern "C" {

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  *device = reinterpret_cast<void*>(static_cast<unsigned long>(index) + 1);
  return index < 2 ? 0 : 2;
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
  const bool slice = reinterpret_cast<unsigned long>(device) > 10;
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
