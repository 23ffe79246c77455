// Near-duplicate texts by word shingles: MinHash finds candidates (Broder, "On the resemblance and
// containment of documents", 1997), the Jaccard similarity of the whole sets decides. Pure and
// deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace scm::corpus {

// Ascending 64-bit hashes of the runs of `words` consecutive folded words, without repetition; a
// shorter text is one shingle, a text without words has none.
using Shingles = std::vector<uint64_t>;
Shingles MakeShingles(absl::string_view text, int64_t words);

// |a ∩ b| / |a ∪ b|; 0 when both are empty.
double Jaccard(const Shingles& a, const Shingles& b);

struct NearMatch {
  size_t probe = 0;  // index into the probes
  size_t match = 0;  // index into the indexed sets
  double similarity = 0;
};

// For each probe that has one, the most similar indexed set (the first of equals) with similarity ≥
// `threshold`. 128 hash functions in 32 bands of 4: a pair at 0.8 is missed with probability 5e-8.
// Of a probe with more than 500 candidates the first 500 are compared, which bounds the cost on
// corpora made of one template.
std::vector<NearMatch> FindNearMatches(const std::vector<Shingles>& probes,
                                       const std::vector<Shingles>& indexed, double threshold);

}  // namespace scm::corpus
