#include "trainer/compute/cuda/device_buffers.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarTypeToTypeMeta.h>

#include <algorithm>

namespace scm::trainer {

at::Tensor DeviceBuffers::Get(Place place, at::IntArrayRef shape, at::ScalarType type) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  const int64_t bytes = count * static_cast<int64_t>(c10::elementSize(type));
  at::Tensor& buffer = buffers_[place];
  if (!buffer.defined() || buffer.numel() < bytes) {
    // Half as much again, so that what is outgrown stays little beside what is used.
    int64_t room = bytes;
    if (buffer.defined()) {
      room = std::max(bytes, buffer.numel() / 2 * 3);
      outgrown_.push_back(std::move(buffer));
    }
    room = (room + 15) / 16 * 16;
    buffer = at::zeros({room}, at::TensorOptions().dtype(at::kByte).device(device_));
  }
  return buffer.narrow(0, 0, bytes).view(type).view(shape);
}

at::Tensor StagingBytes(int64_t bytes, const at::Device& device) {
  return at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(device.is_cuda()));
}

}  // namespace scm::trainer
