#include "trainer/data/validation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/status_macros.h"
#include "trainer/data/choice_scoring.h"

namespace scm::trainer {

Metrics ValidationResult::ToMetrics() const {
  Metrics metrics = {{"validation_loss", loss}};
  if (counts.has_value()) metrics.emplace_back("validation_accuracy", accuracy());
  return metrics;
}

namespace {

using Scores = std::vector<LlamaModel::RowScore>;

// The scores of all ranks. Whoever was stopped says so, and then nobody has any.
absl::StatusOr<Scores> Gather(absl::StatusOr<Scores> mine, size_t examples,
                              gang::Communicator& gang) {
  if (!mine.ok() && !absl::IsCancelled(mine.status())) return mine;
  std::vector<double> sums(2 * examples + 1, 0);
  sums.back() = mine.ok() ? 0 : 1;
  for (size_t i = 0; mine.ok() && i < examples; ++i) {
    sums[2 * i] = (*mine)[i].log_likelihood;
    sums[2 * i + 1] = static_cast<double>((*mine)[i].labels);
  }
  SCM_RETURN_IF_ERROR(gang.Sum(std::span<double>(sums)));
  if (sums.back() != 0) return absl::CancelledError("a rank was stopped while it scored");
  Scores all(examples);
  for (size_t i = 0; i < examples; ++i) {
    all[i].log_likelihood = sums[2 * i];
    all[i].labels = static_cast<int64_t>(sums[2 * i + 1]);
  }
  return all;
}

absl::StatusOr<Scores> ScoreTogether(const std::vector<const TokenExample*>& examples,
                                     int64_t score_tokens, const std::function<bool()>& go_on,
                                     LlamaModel* model, gang::Communicator* gang) {
  const auto ask = [&](int64_t) { return !go_on || go_on(); };
  if (gang == nullptr || gang->alone()) return ScoreExamples(examples, score_tokens, ask, model);
  const ScoringShare share{gang->rank(), gang->world_size()};
  return Gather(ScoreExamples(examples, score_tokens, ask, model, share), examples.size(), *gang);
}

}  // namespace

absl::StatusOr<ValidationResult> Validate(const ValidationSet& set, int64_t score_tokens,
                                          const std::function<bool()>& go_on, LlamaModel* model,
                                          gang::Communicator* gang) {
  std::vector<const TokenExample*> examples;
  for (const ValidationItem& item : set.items) {
    for (const TokenExample& choice : item.choices) examples.push_back(&choice);
  }
  SCM_ASSIGN_OR_RETURN(const Scores scores,
                       ScoreTogether(examples, score_tokens, go_on, model, gang));
  double loss_sum = 0;
  int64_t labels = 0;
  const bool finite = std::all_of(scores.begin(), scores.end(), [](const LlamaModel::RowScore& s) {
    return std::isfinite(s.log_likelihood);
  });
  if (!finite) return ValidationResult{std::numeric_limits<double>::quiet_NaN(), std::nullopt};
  ValidationCounts counts;
  counts.chance = set.chance;
  counts.deff = set.deff;
  size_t next = 0;
  for (const ValidationItem& item : set.items) {
    std::vector<double> log_likelihoods;
    for (size_t i = 0; i < item.choices.size(); ++i) {
      log_likelihoods.push_back(scores[next + i].log_likelihood);
    }
    for (int64_t gold : item.gold) {
      loss_sum -= log_likelihoods[static_cast<size_t>(gold)];
      labels += scores[next + static_cast<size_t>(gold)].labels;
    }
    if (item.single_label) {
      ++counts.items;
      counts.correct += BestChoice(log_likelihoods) == item.gold[0];
    }
    next += item.choices.size();
  }
  ValidationResult result;
  result.loss = loss_sum / static_cast<double>(labels);
  if (counts.items > 0) result.counts = counts;
  return result;
}

}  // namespace scm::trainer
