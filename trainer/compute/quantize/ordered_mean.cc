#include "trainer/compute/quantize/ordered_mean.h"

#include <algorithm>
#include <array>

namespace scm::trainer {
namespace {

constexpr int64_t kWidth = 8;    // of a vector
constexpr int64_t kAbreast = 4;  // vectors that are summed side by side
constexpr int kLevels = 4;       // of sums of sums

int64_t CeilLog2(int64_t n) {
  int64_t log = 0;
  while ((int64_t{1} << log) < n) ++log;
  return log;
}

// Sums of kAbreast · width columns over `rows` rows.
template <int64_t kColumns>
std::array<float, kColumns> SumRows(const float* values, int64_t rows) {
  const int64_t power = std::max<int64_t>(4, CeilLog2(rows) / kLevels);
  const int64_t step = int64_t{1} << power, mask = step - 1;
  std::array<std::array<float, kColumns>, kLevels> sums{};
  const auto add_row = [&](int64_t row) {
    for (int64_t c = 0; c < kColumns; ++c) {
      sums[0][static_cast<size_t>(c)] += values[row * kColumns + c];
    }
  };
  int64_t row = 0;
  while (row + step <= rows) {
    for (int64_t i = 0; i < step; ++i) add_row(row++);
    for (size_t level = 1; level < kLevels; ++level) {
      for (size_t c = 0; c < kColumns; ++c) {
        sums[level][c] += sums[level - 1][c];
        sums[level - 1][c] = 0;
      }
      if ((row & (mask << (static_cast<int64_t>(level) * power))) != 0) break;
    }
  }
  for (; row < rows; ++row) add_row(row);
  for (size_t level = 1; level < kLevels; ++level) {
    for (size_t c = 0; c < kColumns; ++c) sums[0][c] += sums[level][c];
  }
  return sums[0];
}

// One sum for each of the `kLanes` columns of all whole vectors.
template <int64_t kLanes>
std::array<float, kLanes> SumVectors(const float* values, int64_t vectors) {
  const int64_t rows = vectors / kAbreast;
  std::array<float, kAbreast* kLanes> abreast = SumRows<kAbreast * kLanes>(values, rows);
  std::array<float, kLanes> sum{};
  std::copy(abreast.begin(), abreast.begin() + kLanes, sum.begin());
  for (int64_t v = rows * kAbreast; v < vectors; ++v) {
    for (int64_t c = 0; c < kLanes; ++c) sum[static_cast<size_t>(c)] += values[v * kLanes + c];
  }
  for (size_t v = 1; v < kAbreast; ++v) {
    for (size_t c = 0; c < kLanes; ++c) sum[c] += abreast[v * kLanes + c];
  }
  return sum;
}

}  // namespace

float OrderedMean(const float* values, int64_t count) {
  if (count == 0) return 0;
  float sum = 0;
  if (count < kWidth) {
    sum = SumVectors<1>(values, count)[0];
  } else {
    for (int64_t i = count / kWidth * kWidth; i < count; ++i) sum += values[i];
    for (float lane : SumVectors<kWidth>(values, count / kWidth)) sum += lane;
  }
  return sum / static_cast<float>(count);
}

}  // namespace scm::trainer
