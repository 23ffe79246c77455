// What the fake trainer "learns": a hash chain over (seed, parameters, step). A checkpoint holds
// the chain's value and bytes made from it, and a resumed run continues the chain, so the final
// adapter is byte-equal to that of an uninterrupted run exactly when the right checkpoint was
// resumed.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace scm::fake {

class TrainingState {
 public:
  // `recipe` is everything that would change training: the parameters, as text.
  TrainingState(int64_t seed, const std::string& recipe);

  void Advance();
  int64_t step() const { return step_; }
  // `bytes` deterministic bytes of the present state.
  std::string Adapter(int64_t bytes) const;

  // Writes DIR/adapter.bin and DIR/state.json by way of a neighbour and a rename.
  absl::Status Save(const std::string& directory, int64_t bytes) const;
  // FAILED_PRECONDITION: made by another seed or recipe; DATA_LOSS: the files contradict each
  // other.
  absl::Status Load(const std::string& directory, int64_t bytes);

 private:
  std::string origin_;  // digest of seed and recipe
  std::string value_;
  int64_t step_ = 0;
};

}  // namespace scm::fake
