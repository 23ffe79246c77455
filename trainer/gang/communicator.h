// What the ranks of one run say to each other: sums and broadcasts, which every rank makes in the
// same order. One thin interface, so that another transport fits behind it. One owner, one thread.
//
// A sum is made in an order that depends on the number of ranks and of values alone: it has the
// same bits on every rank, and at every try.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"

namespace at {
class Tensor;
}

namespace scm::gang {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t world_size() const = 0;
  bool first() const { return rank() == 0; }
  bool alone() const { return world_size() == 1; }

  // Each value becomes its sum over the ranks, which all give as many. UNAVAILABLE when a rank has
  // gone; what the values are then is not said.
  virtual absl::Status Sum(std::span<float> values) = 0;
  virtual absl::Status Sum(std::span<double> values) = 0;
  // The same of a tensor of fp32 or fp64, in place. One that lies on the GPU over whose transport
  // the ranks are connected stays there; every other is copied to the host and back.
  virtual absl::Status Sum(at::Tensor& values);
  // `text` becomes that of rank `root`.
  virtual absl::Status Broadcast(std::string* text, int64_t root = 0) = 0;

  // The last call: this rank needs nothing more of the others. Unless `outcome` is OK they end,
  // too, with the same code. Who goes without it has died, to the others.
  virtual void Leave(const absl::Status& outcome) = 0;
};

// One process alone: sums are what they are.
std::unique_ptr<Communicator> MakeSolo();

// INVALID_ARGUMENT unless all ranks have the same `value`; `what` says what it is, in plural or as
// a mass: "data and adapters to start from".
absl::Status CheckSame(Communicator& gang, const std::string& what, const std::string& value);

}  // namespace scm::gang
