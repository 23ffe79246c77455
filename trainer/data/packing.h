// Token examples to batches of rows. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/compute/model.h"
#include "trainer/data/data_cursor.h"
#include "trainer/data/examples.h"

namespace scm::trainer {

// One row a list of examples, which follow each other as segments; padding on the right. Every
// example gives inputs() positions: its last token is only a label.
Batch LayOutRows(const std::vector<std::vector<const TokenExample*>>& rows);

// Positions that hold a token, padding not counted.
int64_t TokensOf(const Batch& batch);
int64_t LabelsOf(const Batch& batch);

struct RowPlan {
  int64_t batch_size = 1;    // rows
  bool packing = false;      // several examples a row, as many as follow each other and fit
  int64_t row_length = 512;  // positions of a packed row
};

// The next micro-batch in the cursor's order. Packing keeps that order (next fit), so that what is
// trained is a function of the cursor alone. No example may be longer than `row_length`.
Batch NextBatch(const std::vector<TokenExample>& examples, const RowPlan& plan, DataCursor* cursor);

}  // namespace scm::trainer
