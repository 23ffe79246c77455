// Stands in for CUDA's driver (libcuda.so.1): one for CUDA 12.8, too old for the wheel of CUDA 13.
// Compiled and put before the real one by scripts/check_cuda.py.

static int unsupported(void) { return 801; }

int cuInit(unsigned flags) { return flags == 0 ? 0 : 1; }
int cuDriverGetVersion(int* version) {
  *version = 12080;
  return 0;
}
int cuGetErrorString(int error, const char** text) {
  *text = error == 801 ? "operation not supported" : "error";
  return 0;
}
int cuDeviceGetCount(int* count) {
  *count = 0;
  return 0;
}
int cuDeviceGet(void) { return unsupported(); }
int cuDeviceGetAttribute(void) { return unsupported(); }
int cuDevicePrimaryCtxRetain(void) { return unsupported(); }
int cuCtxGetCurrent(void) { return unsupported(); }
int cuCtxSetCurrent(void) { return unsupported(); }
int cuModuleLoadData(void) { return unsupported(); }
int cuModuleGetFunction(void) { return unsupported(); }
int cuLaunchKernel(void) { return unsupported(); }
