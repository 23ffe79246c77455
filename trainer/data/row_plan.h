// Which examples share a row, and how many steps an epoch comes to: what the trainer does and what
// is said of it at submission come from here. Pure; free of libtorch.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/data_cursor.h"

namespace scm::trainer {

struct RowPlan {
  int64_t batch_size = 1;    // rows
  bool packing = false;      // several examples a row, as many as follow each other and fit
  int64_t row_length = 512;  // positions of a packed row
};

// The examples of the next micro-batch, row by row, in the cursor's order. Packing keeps that order
// (next fit), so that what is trained is a function of the cursor alone. `inputs_of` gives the
// positions that an example takes, none more than `row_length`.
template <typename InputsOf>
std::vector<std::vector<int64_t>> NextRows(const InputsOf& inputs_of, const RowPlan& plan,
                                           DataCursor* cursor) {
  std::vector<std::vector<int64_t>> rows(static_cast<size_t>(plan.batch_size));
  for (auto& row : rows) {
    int64_t used = 0;
    do {
      const int64_t example = cursor->Current();
      if (!row.empty() && used + inputs_of(example) > plan.row_length) break;
      row.push_back(example);
      used += inputs_of(example);
      cursor->Advance();
    } while (plan.packing);
  }
  return rows;
}

// What a run trains on and how.
struct TrainingRows {
  std::vector<int64_t> inputs;  // of every example, in the corpus' order; not empty
  RowPlan plan;
  int64_t gradient_accumulation = 1;
};

// The least number of steps after which every one of `seeds` has trained `epochs` times as many
// examples as there are; at least 1. OUT_OF_RANGE when that is more than can be counted.
absl::StatusOr<int64_t> StepsOfEpochs(const TrainingRows& rows, double epochs,
                                      const std::vector<uint64_t>& seeds);

// How many epochs `steps` steps are with this seed. Long runs are extrapolated.
double EpochsOfSteps(const TrainingRows& rows, int64_t steps, uint64_t seed);

}  // namespace scm::trainer
