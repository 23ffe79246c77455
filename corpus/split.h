// Which documents, and with them which items, train, validate and test. Pure.
//
// Documents are split whole, before anything is looked at in them, and documents that share a
// cluster_id stay together, so that neither a document nor a cluster stands on both sides. Within a
// jurisdiction documents are ordered by a Philox draw of (seed, id); along that order each goes to
// the split that is furthest below its ratio; a split whose ratio is not zero gets at least one
// where there are enough. So every jurisdiction is shared out by the ratios, the result does not
// depend on the order of files or lines, and it depends on no run's seed.
//
// An item's own `split` wins over its document's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "corpus/corpus.h"

namespace scm::corpus {

struct SplitOptions {
  double train = 0.8, validation = 0.1, test = 0.1;  // shares of the documents; sum 1
  int64_t seed = 1;
};

struct SplitAssignment {
  std::vector<Split> documents;  // in the order of Corpus::documents
  std::vector<Split> items;      // in the order of Corpus::items

  int64_t CountItems(Split split) const;
  int64_t CountDocuments(Split split) const;
};

// INVALID_ARGUMENT for ratios that are negative or do not sum to 1.
absl::StatusOr<SplitAssignment> AssignSplits(const Corpus& corpus, const SplitOptions& options);

// Indices into Corpus::items of `split`, of the named tasks (all tasks when `tasks` is empty), in
// corpus order.
std::vector<size_t> ItemsOf(const Corpus& corpus, const SplitAssignment& assignment, Split split,
                            const std::vector<std::string>& tasks = {});

}  // namespace scm::corpus
