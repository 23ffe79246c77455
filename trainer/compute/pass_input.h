// What a pass reads of the host: tokens, places of labels, keys of dropout masks. One buffer, which
// is one copy where the model is on a GPU, from memory that the copy waits for nothing in. Values
// only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace scm::trainer {

struct PassSizes {
  int64_t rows = 0, labels = 0, keys = 0;  // keys: masks of a pass
};

// Views of one buffer of bytes.
struct PassInput {
  at::Tensor bytes;
  at::Tensor tokens;               // int64 [rows]
  at::Tensor label_rows, targets;  // int64 [labels]: whose output predicts, and what
  at::Tensor label_scales;         // fp32 [labels, 1]: of the gradient of each label's loss
  at::Tensor positions;            // int32 [rows]
  at::Tensor keys;                 // int32 [keys, 3]: Dropout::key0, key1 and first_row
};

int64_t BytesOf(const PassSizes& sizes);
// `bytes` has BytesOf(sizes) or more.
PassInput ViewsOf(const at::Tensor& bytes, const PassSizes& sizes);

}  // namespace scm::trainer
