// Stands in for NVIDIA's management library: two GPUs, the second of which hides its utilisation.
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
  const bool first = device == reinterpret_cast<void*>(1ul);
  std::snprintf(name, size, "%s", first ? "NVIDIA H200" : "NVIDIA A100-SXM4-80GB");
  return 0;
}
int nvmlDeviceGetUUID(void* device, char* uuid, unsigned int size) {
  std::snprintf(uuid, size, "GPU-%lu", reinterpret_cast<unsigned long>(device) - 1);
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  total_free_used[0] = 141ull << 30;
  total_free_used[1] = 140ull << 30;
  total_free_used[2] = 1ull << 30;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned int* gpu_memory) {
  gpu_memory[0] = 37;
  gpu_memory[1] = 5;
  return device == reinterpret_cast<void*>(1ul) ? 0 : 3;
}

}  // extern "C"
