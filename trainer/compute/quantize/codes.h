// The values that codes of a quantised base stand for. Constants; free of libtorch.
//
// NF4: Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, appendix E. The
// signed dynamic map of the scales: Dettmers et al., "8-bit Optimizers via Block-wise
// Quantization", 2022.
#pragma once

#include <array>
#include <cstdint>

namespace scm::trainer {

// Ascending, from −1 to 1; number 7 is zero.
const std::array<float, 16>& Nf4Values();
// The lowest code whose value is nearest to x in [−1, 1]: of two equally near ones the lower. NaN
// is 15.
uint8_t Nf4Code(float x);

// Ascending, from −0.993 to 1: more of them towards zero, and none for −1.
const std::array<float, 256>& DynamicMap();
// The code for x in [−1, 1], as bitsandbytes finds it: x is rounded to one of 65,536 points first,
// so that the code of a value near zero may be a few places off. NaN is 0.
uint8_t DynamicCode(float x);

}  // namespace scm::trainer
