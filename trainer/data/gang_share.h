// Which documents of a step are whose, where several ranks take it together. Pure.
//
// A step is that of one process: the same examples in the same micro-batches, rows and order. Its
// documents, one behind the other, are cut where each rank has about as many tokens. What a rank
// has of a micro-batch are neighbours, and it says how many tokens of the micro-batch come before
// them, because dropout counts them. A rank may have nothing of a micro-batch, or of a step.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/compute/model.h"
#include "trainer/data/examples.h"

namespace scm::trainer {

struct RankShare {
  Batch batch;              // without rows: nothing to do
  int64_t first_token = 0;  // tokens of the micro-batch before it, padding not counted
};

// Rows of examples, of one micro-batch.
using ExampleRows = std::vector<std::vector<const TokenExample*>>;

// What `rank` has of every micro-batch of a step. With one rank, all of it as it is laid out.
std::vector<RankShare> ShareOfStep(const std::vector<ExampleRows>& step, int64_t rank,
                                   int64_t world_size);

// Of a step, of all ranks.
int64_t LabelsOf(const std::vector<ExampleRows>& step);
int64_t TokensOf(const std::vector<ExampleRows>& step);

}  // namespace scm::trainer
