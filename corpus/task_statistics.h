// What the statistics and the abort rules need to know about a set of items. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "corpus/corpus.h"
#include "corpus/split.h"

namespace scm::corpus {

// Correlation between items of a cluster that the design effect assumes.
inline constexpr double kClusterCorrelation = 0.1;

struct ItemSetStatistics {
  int64_t items = 0;
  int64_t clusters = 0;
  // Expected accuracy of guessing: mean over items of min(1 / choices, rarest gold share of the
  // item's task). 0 without single-label items.
  double chance = 0;
  double mean_cluster_size = 0;  // M = Σm² / Σm over clusters of m items
  double design_effect = 1;      // 1 + kClusterCorrelation (M − 1)
  double effective_clusters = 0;  // G* = (Σw)² / Σw², w = m · (1 + kClusterCorrelation (m − 1))
};

// Of the single-label items among `items` (indices into corpus.items); multi-label ones are
// skipped, since a share of correct answers means something else there. The gold shares are those
// within `items`.
ItemSetStatistics SingleLabelStatistics(const Corpus& corpus, const std::vector<size_t>& items);

struct LabelShares {
  // True when every item of the set has the same choices, in any order: shares are then by the
  // choice's text, otherwise by its position.
  bool by_text = false;
  std::vector<std::string> labels;  // the choice's text, or "1", "2", … for positions
  std::vector<int64_t> counts;      // items whose gold is that label; multi-label counts each gold
  double majority = 0;              // largest count / items
  double rarest = 0;                // smallest count above zero / items
};

// `items` are indices into corpus.items, all of one task.
LabelShares GoldShares(const Corpus& corpus, const std::vector<size_t>& items);

}  // namespace scm::corpus
