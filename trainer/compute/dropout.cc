#include "trainer/compute/dropout.h"

#include <cmath>

#include "common/rng.h"

namespace scm::trainer {

Dropout MakeDropout(double rate, uint64_t seed, int64_t step, int64_t micro_step, int64_t layer,
                    int64_t module) {
  Dropout dropout;
  if (!(rate > 0)) return dropout;
  const std::array<uint32_t, 4> block = Philox4x32(
      {static_cast<uint32_t>(step), static_cast<uint32_t>(static_cast<uint64_t>(step) >> 32),
       static_cast<uint32_t>(micro_step), static_cast<uint32_t>(layer * 7 + module)},
      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  dropout.key0 = block[0];
  dropout.key1 = block[1];
  const double threshold = std::floor(rate * 4294967296.0 + 0.5);
  dropout.threshold = static_cast<uint32_t>(std::fmin(std::fmax(threshold, 1.0), 4294967295.0));
  dropout.scale = static_cast<float>(1.0 / (1.0 - rate));
  return dropout;
}

}  // namespace scm::trainer
