// Token examples to batches of rows. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/compute/model.h"
#include "trainer/data/data_cursor.h"
#include "trainer/data/examples.h"
#include "trainer/data/row_plan.h"

namespace scm::trainer {

// One row a list of examples, which follow each other as segments; padding on the right. Every
// example gives inputs() positions: its last token is only a label.
Batch LayOutRows(const std::vector<std::vector<const TokenExample*>>& rows);

// Positions that hold a token, padding not counted.
int64_t TokensOf(const Batch& batch);
int64_t LabelsOf(const Batch& batch);

// The rows of the next micro-batch in the cursor's order (NextRows). No example may be longer than
// `row_length`.
std::vector<std::vector<const TokenExample*>> NextExamples(
    const std::vector<TokenExample>& examples, const RowPlan& plan, DataCursor* cursor);
// The same, laid out.
Batch NextBatch(const std::vector<TokenExample>& examples, const RowPlan& plan, DataCursor* cursor);

}  // namespace scm::trainer
