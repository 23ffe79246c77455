// Where the first value that is not finite arises in a pass: kernels that look at everything that
// other kernels compute. Slow; for the one step that is taken again when a run has diverged. One
// owner, one thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "trainer/compute/kernels.h"

namespace scm::trainer {

// Told by the kernels; "" until something was found.
struct FirstNonFinite {
  std::string place;  // "layer 7, mlp.down_proj, forward"
};

// Names of modules ("layer 7, mlp.down_proj") by what the kernels see of them.
class ModuleNames {
 public:
  void Add(const FrozenMatrix& matrix, std::string name) { names_[IdOf(matrix)] = std::move(name); }
  void Add(const at::Tensor& weight, std::string name) {
    names_[weight.const_data_ptr()] = std::move(name);
  }
  std::string Of(const FrozenMatrix& matrix) const { return Find(IdOf(matrix)); }
  std::string Of(const at::Tensor& weight) const { return Find(weight.const_data_ptr()); }

 private:
  static const void* IdOf(const FrozenMatrix& matrix);
  std::string Find(const void* id) const;

  std::map<const void*, std::string> names_;
};

// `inner` and `found` outlive the result.
std::unique_ptr<Kernels> MakeWatchingKernels(Kernels* inner, ModuleNames names,
                                             FirstNonFinite* found);

}  // namespace scm::trainer
