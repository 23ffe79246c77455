// A launcher whose kernels are emulated on the CPU.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "trainer/compute/cuda/launcher.h"

namespace scm::trainer {

class EmulatedLauncher : public Launcher {
 public:
  explicit EmulatedLauncher(uint64_t seed) : seed_(seed) {}
  absl::Status Launch(const char* kernel, Grid grid, const void* arguments) override;

  const std::set<std::string>& launched() const { return launched_; }
  static std::set<std::string> Names();

 private:
  uint64_t seed_;
  std::set<std::string> launched_;
};

}  // namespace scm::trainer
