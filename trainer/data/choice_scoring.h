// Log-likelihoods of many examples in few passes. One owner, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/compute/model.h"
#include "trainer/data/examples.h"

namespace scm::trainer {

// Which batches of a scoring are this rank's, where several share it: every world_size-th.
struct ScoringShare {
  int64_t rank = 0, world_size = 1;
};

// Scores every example (its answer tokens). Neighbours share a batch of at most `score_tokens`
// positions (one example at least). Only what is computed counts: no padding, and the prompt that
// the choices of an item have in common once. The batches are a function of the
// examples alone, so repeated scoring gives the same bits. `go_on`, if set, is asked after each
// batch with the number of examples scored so far; false ends with CANCELLED. What other ranks
// score is left at zero; the batches are those of one process, so that their sums are its bits.
absl::StatusOr<std::vector<LlamaModel::RowScore>> ScoreExamples(
    const std::vector<const TokenExample*>& examples, int64_t score_tokens,
    const std::function<bool(int64_t)>& go_on, LlamaModel* model, const ScoringShare& share = {});

// Index of the largest log-likelihood, of numbers that are finite; the first of equals, as
// lm-evaluation-harness decides.
int64_t BestChoice(const std::vector<double>& log_likelihoods);

}  // namespace scm::trainer
