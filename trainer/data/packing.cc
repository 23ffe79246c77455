#include "trainer/data/packing.h"

#include <algorithm>

namespace scm::trainer {
namespace {

constexpr int32_t kNoLabel = -100;

}  // namespace

Batch LayOutRows(const std::vector<std::vector<const TokenExample*>>& rows) {
  Batch batch;
  batch.rows = static_cast<int64_t>(rows.size());
  for (const auto& row : rows) {
    int64_t length = 0;
    for (const TokenExample* example : row) length += example->inputs();
    batch.length = std::max(batch.length, length);
  }
  const size_t cells = static_cast<size_t>(batch.rows * batch.length);
  batch.tokens.assign(cells, 0);
  batch.segments.assign(cells, -1);
  batch.labels.assign(cells, kNoLabel);
  for (size_t r = 0; r < rows.size(); ++r) {
    size_t at = r * static_cast<size_t>(batch.length);
    for (size_t segment = 0; segment < rows[r].size(); ++segment) {
      const TokenExample& example = *rows[r][segment];
      for (int64_t i = 0; i < example.inputs(); ++i, ++at) {
        batch.tokens[at] = example.tokens[static_cast<size_t>(i)];
        batch.segments[at] = static_cast<int32_t>(segment);
        if (example.is_label(i + 1)) {
          batch.labels[at] = example.tokens[static_cast<size_t>(i + 1)];
        }
      }
    }
  }
  return batch;
}

int64_t TokensOf(const Batch& batch) {
  return std::count_if(batch.segments.begin(), batch.segments.end(),
                       [](int32_t segment) { return segment >= 0; });
}

int64_t LabelsOf(const Batch& batch) {
  return std::count_if(batch.labels.begin(), batch.labels.end(),
                       [](int32_t label) { return label != kNoLabel; });
}

std::vector<std::vector<const TokenExample*>> NextExamples(
    const std::vector<TokenExample>& examples, const RowPlan& plan, DataCursor* cursor) {
  const auto at = [&](int64_t i) -> const TokenExample& {
    return examples[static_cast<size_t>(i)];
  };
  std::vector<std::vector<const TokenExample*>> rows;
  for (const std::vector<int64_t>& row :
       NextRows([&](int64_t i) { return at(i).inputs(); }, plan, cursor)) {
    std::vector<const TokenExample*>& laid_out = rows.emplace_back();
    for (const int64_t i : row) laid_out.push_back(&at(i));
  }
  return rows;
}

Batch NextBatch(const std::vector<TokenExample>& examples, const RowPlan& plan,
                DataCursor* cursor) {
  return LayOutRows(NextExamples(examples, plan, cursor));
}

}  // namespace scm::trainer
