// What the ranks of a run exchange in a step: one flat sum of all gradients, and a small one of
// what they must agree about. With one rank nothing moves. One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "trainer/gang/communicator.h"

namespace scm::trainer {

class StepExchange {
 public:
  // An order to stop, as one rank has heard it, or as all of them know it.
  struct Stop {
    bool asked = false, checkpoint = false;
  };

  // `gang` outlives the exchange.
  explicit StepExchange(gang::Communicator* gang) : gang_(gang) {}
  gang::Communicator& gang() const { return *gang_; }

  // Gradients (fp32, flat), loss (fp64, one value) and labels become those of all ranks; `heard`
  // what stop() says afterwards. Where gradients lie on the CPU, they are summed there.
  absl::Status Sum(const at::Tensor& gradients, const at::Tensor& loss, int64_t* labels,
                   const Stop& heard);
  // What any rank had heard by the last Sum.
  const Stop& stop() const { return stop_; }
  // Whether what this rank gave to the last Sum was finite; true with one rank.
  bool own_finite() const { return own_finite_; }

  // What any rank has heard by now. All ranks ask.
  absl::StatusOr<Stop> Agree(const Stop& heard);

 private:
  gang::Communicator* gang_;
  Stop stop_;
  bool own_finite_ = true;
};

}  // namespace scm::trainer
