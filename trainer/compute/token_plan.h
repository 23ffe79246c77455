// A batch of rows as one flat list of tokens: padding is gone, documents are ranges, and for
// scoring rows that begin alike share the tokens they have in common (a causal model computes the
// same values for them). Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/model.h"

namespace scm::trainer {

struct TokenPlan {
  struct Label {
    int64_t token;   // index into tokens: whose output predicts
    int64_t target;  // vocabulary index
    int64_t row;     // of the batch
  };
  std::vector<int32_t> tokens, positions;
  std::vector<TokenSpan> documents;
  std::vector<Label> labels;    // ascending by token
  std::vector<int64_t> places;  // rows × length: index into tokens, −1 for padding
  int64_t count() const { return static_cast<int64_t>(tokens.size()); }
};

// Puts `next` behind `plan`: its tokens, with documents and labels that mean them. Rows and places
// stay those of the first.
void Append(const TokenPlan& next, TokenPlan* plan);

// Lengthens a plan to `rows` tokens and `labels` labels: with tokens that nobody reads, a document
// of their own, and labels below 0, which have neither loss nor gradient.
void PadPlan(int64_t rows, int64_t labels, TokenPlan* plan);

// Tokens [first, first + count) of a plan as a plan of their own.
struct PlanPart {
  int64_t first = 0;
  TokenPlan plan;
};
// Cuts a plan without shared prefixes between documents: parts of `most` tokens at most, or of one
// longer document. Rows stay; places are left out.
std::vector<PlanPart> CutPlan(const TokenPlan& plan, int64_t most);

// INVALID_ARGUMENT with row and position for sizes that do not fit, tokens or labels outside the
// vocabulary, labels on padding and segments that are torn apart.
absl::StatusOr<TokenPlan> MakeTokenPlan(const Batch& batch, int64_t vocabulary,
                                        bool share_prefixes);

}  // namespace scm::trainer
