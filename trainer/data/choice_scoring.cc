#include "trainer/data/choice_scoring.h"

#include <algorithm>

#include "common/status_macros.h"
#include "trainer/data/packing.h"

namespace scm::trainer {
namespace {

// Positions that `next` adds to a batch that ends with `last`: the model computes a common
// beginning once.
int64_t AddedPositions(const TokenExample& last, const TokenExample& next) {
  const size_t most = static_cast<size_t>(std::min(last.inputs(), next.inputs()));
  size_t common = 0;
  while (common < most && last.tokens[common] == next.tokens[common]) ++common;
  return next.inputs() - static_cast<int64_t>(common);
}

}  // namespace

absl::StatusOr<std::vector<LlamaModel::RowScore>> ScoreExamples(
    const std::vector<const TokenExample*>& examples, int64_t score_tokens,
    const std::function<bool(int64_t)>& go_on, LlamaModel* model, const ScoringShare& share) {
  std::vector<LlamaModel::RowScore> scores;
  scores.reserve(examples.size());
  for (int64_t batch = 0; scores.size() < examples.size(); ++batch) {
    std::vector<std::vector<const TokenExample*>> rows;
    int64_t positions = 0;
    for (size_t next = scores.size(); next < examples.size(); ++next) {
      positions += rows.empty() ? examples[next]->inputs()
                                : AddedPositions(*examples[next - 1], *examples[next]);
      if (!rows.empty() && positions > score_tokens) break;
      rows.push_back({examples[next]});
    }
    if (batch % share.world_size != share.rank) {
      scores.resize(scores.size() + rows.size(), LlamaModel::RowScore{0, 0, false});
      continue;
    }
    SCM_ASSIGN_OR_RETURN(const auto batch_scores, model->Score(LayOutRows(rows)));
    scores.insert(scores.end(), batch_scores.begin(), batch_scores.end());
    if (go_on && !go_on(static_cast<int64_t>(scores.size()))) {
      return absl::CancelledError("scoring was interrupted");
    }
  }
  return scores;
}

int64_t BestChoice(const std::vector<double>& log_likelihoods) {
  return std::max_element(log_likelihoods.begin(), log_likelihoods.end()) - log_likelihoods.begin();
}

}  // namespace scm::trainer
