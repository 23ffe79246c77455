#include "trainer/compute/adapters.h"

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace scm::trainer {
namespace {

constexpr int64_t kAligned = 16;  // values of 64 bytes

int64_t Room(const at::Tensor& t) { return (t.numel() + kAligned - 1) / kAligned * kAligned; }

at::Tensor ViewAt(const at::Tensor& flat, int64_t at, const at::Tensor& like) {
  return flat.narrow(0, at, like.numel()).view(like.sizes());
}

}  // namespace

FlatAdapters LayFlat(const std::vector<std::vector<AdapterPair>*>& sets) {
  FlatAdapters flat;
  flat.offsets = {0};
  at::TensorOptions like = at::kFloat;
  for (const std::vector<AdapterPair>* set : sets) {
    int64_t size = 0;
    for (const AdapterPair& pair : *set) {
      size += Room(pair.a) + Room(pair.b);
      like = pair.a.options();
    }
    flat.offsets.push_back(flat.offsets.back() + size);
  }
  flat.parameters = at::zeros({flat.offsets.back()}, like);
  flat.gradients = at::zeros_like(flat.parameters);
  int64_t at = 0;
  for (std::vector<AdapterPair>* set : sets) {
    for (AdapterPair& pair : *set) {
      for (const auto& [value, gradient] :
           {std::pair(&pair.a, &pair.grad_a), std::pair(&pair.b, &pair.grad_b)}) {
        const at::Tensor moved = ViewAt(flat.parameters, at, *value);
        moved.copy_(*value);
        *gradient = ViewAt(flat.gradients, at, *value);
        *value = moved;
        at += Room(moved);
      }
    }
  }
  return flat;
}

}  // namespace scm::trainer
