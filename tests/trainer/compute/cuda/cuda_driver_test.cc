// What is said and done with a driver, by one that is played.
#include "trainer/compute/cuda/cuda_driver.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace scm::trainer {
namespace {

// The one driver of the process, as a driver is.
struct PlayedDriver {
  int version = 13000, capability_major = 9, capability_minor = 0, load_result = 0;
  void* context = nullptr;  // current
  std::vector<std::string> calls;
};
PlayedDriver played;
int context_of_torch, other_context, the_module, the_function;

DriverFunctions PlayedFunctions() {
  played = PlayedDriver();
  DriverFunctions f;
  f.version = [](int* version) { return *version = played.version, 0; };
  f.device = [](int* device, int ordinal) { return *device = ordinal, ordinal < 2 ? 0 : 101; };
  f.attribute = [](int* value, int attribute, int) {
    *value = attribute == 75 ? played.capability_major : played.capability_minor;
    return 0;
  };
  f.retain_context = [](void** context, int) { return *context = &context_of_torch, 0; };
  f.current_context = [](void** context) { return *context = played.context, 0; };
  f.set_context = [](void* context) {
    played.context = context;
    played.calls.push_back("set_context");
    return 0;
  };
  f.load_module = [](void** module, const void* image) {
    played.calls.push_back(std::string("load ") + static_cast<const char*>(image));
    return *module = &the_module, played.load_result;
  };
  f.find_function = [](void** function, void*, const char* name) {
    played.calls.push_back(std::string("find ") + name);
    return *function = &the_function, std::string(name) == "missing" ? 500 : 0;
  };
  f.launch = [](void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned,
                unsigned, unsigned, void* stream, void** arguments, void**) {
    EXPECT_EQ(function, &the_function);
    EXPECT_EQ(played.context, &context_of_torch);
    played.calls.push_back("launch " + std::to_string(x) + " " + std::to_string(y) + " " +
                           std::to_string(z) + " " + std::to_string(threads) + " on " +
                           std::to_string(reinterpret_cast<uintptr_t>(stream)) + " with " +
                           std::to_string(*static_cast<int*>(arguments[0])));
    return 0;
  };
  f.error_text = [](int result, const char** text) {
    *text = result == 101 ? "invalid device ordinal" : nullptr;
    return 0;
  };
  return f;
}

TEST(CudaDriver, AnAbsentDriverIsASentence) {
  const auto driver = OpenDriver("libscm-has-no-such-driver.so.1");
  EXPECT_EQ(driver.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(driver.status().message()),
              testing::AllOf(testing::HasSubstr("no CUDA driver: libscm-has-no-such-driver"),
                             testing::HasSubstr("Install the driver")));
}

TEST(CudaDriver, ALibraryThatIsNoDriverIsASentence) {
  const auto driver = OpenDriver("libc.so.6");
  EXPECT_THAT(std::string(driver.status().message()),
              testing::HasSubstr("libc.so.6 is no CUDA driver that can be used"));
}

TEST(CudaDriver, ADriverOlderThanTheWheelIsRefused) {
  const struct {
    int driver;
    NvrtcVersion wheel;
    const char* message;  // "" fits
  } kCases[] = {
      {13000, {13, 0}, ""},
      {13020, {13, 0}, ""},
      {13000, {13, 2}, ""},  // cubins of the same major version run
      {14000, {12, 8}, ""},
      {12080,
       {13, 0},
       "the driver is for CUDA 12.8, the torch wheel for CUDA 13.0: update the driver, or install "
       "the wheel of CUDA 12"},
  };
  for (const auto& c : kCases) {
    const DriverFunctions driver = PlayedFunctions();
    played.version = c.driver;
    EXPECT_EQ(std::string(CheckDriver(driver, c.wheel).message()), c.message);
  }
}

TEST(CudaDriver, TheCapabilityOfADevice) {
  const DriverFunctions driver = PlayedFunctions();
  EXPECT_EQ(CapabilityOf(driver, 1).value(), 90);
  played.capability_major = 12;
  played.capability_minor = 1;
  EXPECT_EQ(CapabilityOf(driver, 0).value(), 121);
  EXPECT_EQ(std::string(CapabilityOf(driver, 2).status().message()),
            "the CUDA driver cannot find GPU 2: error 101 (invalid device ordinal)");
}

TEST(CudaDriver, LaunchesInTorchsContextAndLooksAFunctionUpOnce) {
  const DriverFunctions driver = PlayedFunctions();
  auto kernels = DeviceKernels::Load(driver, 1, "image");
  ASSERT_TRUE(kernels.ok()) << kernels.status();
  const int arguments[] = {7, 8};
  void* const stream = reinterpret_cast<void*>(uintptr_t{99});
  ASSERT_TRUE(kernels->Launch("one", {3, 2}, 256, stream, arguments).ok());
  played.context = &other_context;
  ASSERT_TRUE(kernels->Launch("one", {1, 1}, 256, stream, arguments + 1).ok());
  EXPECT_THAT(played.calls, testing::ElementsAre("set_context", "load image", "find one",
                                                 "launch 3 2 1 256 on 99 with 7", "set_context",
                                                 "launch 1 1 1 256 on 99 with 8"));
  EXPECT_EQ(std::string(kernels->Launch("missing", {1, 1}, 32, stream, arguments).message()),
            "the CUDA driver cannot find the kernel missing: error 500");
}

TEST(CudaDriver, AnImageThatDoesNotLoadIsAnError) {
  const DriverFunctions driver = PlayedFunctions();
  played.load_result = 209;
  EXPECT_EQ(std::string(DeviceKernels::Load(driver, 0, "image").status().message()),
            "the CUDA driver cannot load the kernels: error 209");
}

}  // namespace
}  // namespace scm::trainer
