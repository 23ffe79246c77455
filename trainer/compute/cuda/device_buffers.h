// Memory that operations on a device use beside their operands, kept from one call to the next, so
// that in a step nothing is allocated and addresses stay. What became too small is replaced, and
// kept as well: a graph that was recorded before still uses it. One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

namespace scm::trainer {

class DeviceBuffers {
 public:
  // Who uses a buffer; two at a time are two places.
  enum Place { kProduct, kNarrowed, kTile, kPartial, kTickets, kDocuments, kPlaces };

  explicit DeviceBuffers(const at::Device& device) : device_(device) {}

  const at::Device& device() const { return device_; }
  // Contiguous; what is in it is left from the last user of the place. All zero where it is new.
  at::Tensor Get(Place place, at::IntArrayRef shape, at::ScalarType type);

 private:
  at::Device device_;
  std::array<at::Tensor, kPlaces> buffers_;  // bytes
  std::vector<at::Tensor> outgrown_;
};

// Memory of the host from which a copy to `device` waits for nothing.
at::Tensor StagingBytes(int64_t bytes, const at::Device& device);

}  // namespace scm::trainer
