#include "trainer/compute/pass_input.h"

namespace scm::trainer {
namespace {

constexpr int64_t kWords = 4;  // bytes of one

}  // namespace

int64_t BytesOf(const PassSizes& sizes) {
  return kWords * (3 * sizes.rows + 5 * sizes.labels + 3 * sizes.keys);
}

PassInput ViewsOf(const at::Tensor& bytes, const PassSizes& sizes) {
  PassInput input;
  input.bytes = bytes.narrow(0, 0, BytesOf(sizes));
  int64_t at = 0;
  const auto next = [&](int64_t count, at::ScalarType type) {
    const int64_t size = count * static_cast<int64_t>(c10::elementSize(type));
    const at::Tensor view = bytes.narrow(0, at, size).view(type);
    at += size;
    return view;
  };
  // The widest first, so that each is aligned.
  input.tokens = next(sizes.rows, at::kLong);
  input.label_rows = next(sizes.labels, at::kLong);
  input.targets = next(sizes.labels, at::kLong);
  input.label_scales = next(sizes.labels, at::kFloat).view({sizes.labels, 1});
  input.positions = next(sizes.rows, at::kInt);
  input.keys = next(3 * sizes.keys, at::kInt).view({sizes.keys, 3});
  return input;
}

}  // namespace scm::trainer
