// The mean of fp32 numbers in one order of additions, the one in which torch 2.13 takes it with one
// thread (aten/src/ATen/native/cpu/SumKernel.cpp): eight numbers a vector, four vectors side by
// side, sums of sums. torch splits 32,768 numbers and more among its threads, and then ends up with
// other last bits for each number of them; here the result depends on the numbers alone.
#pragma once

#include <cstdint>

namespace scm::trainer {

// 0 for none.
float OrderedMean(const float* values, int64_t count);

}  // namespace scm::trainer
