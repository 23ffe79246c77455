#include "corpus/task_statistics.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace scm::corpus {
namespace {

bool SameChoices(const Corpus& corpus, const std::vector<size_t>& items) {
  std::vector<std::string> first;
  for (const size_t i : items) {
    std::vector<std::string> sorted = corpus.items[i].choices;
    std::sort(sorted.begin(), sorted.end());
    if (first.empty()) first = sorted;
    if (sorted != first) return false;
  }
  return true;
}

}  // namespace

LabelShares GoldShares(const Corpus& corpus, const std::vector<size_t>& items) {
  LabelShares shares;
  if (items.empty()) return shares;
  shares.by_text = SameChoices(corpus, items);
  if (shares.by_text) {
    shares.labels = corpus.items[items.front()].choices;
    std::sort(shares.labels.begin(), shares.labels.end());
  } else {
    size_t most = 0;
    for (const size_t i : items) most = std::max(most, corpus.items[i].choices.size());
    for (size_t k = 0; k < most; ++k) shares.labels.push_back(absl::StrCat(k + 1));
  }
  shares.counts.assign(shares.labels.size(), 0);
  for (const size_t i : items) {
    const Item& item = corpus.items[i];
    for (const int64_t gold : item.gold) {
      size_t label = static_cast<size_t>(gold);
      if (shares.by_text) {
        const auto at =
            std::lower_bound(shares.labels.begin(), shares.labels.end(), item.choices[label]);
        label = static_cast<size_t>(at - shares.labels.begin());
      }
      ++shares.counts[label];
    }
  }
  const double n = static_cast<double>(items.size());
  for (const int64_t count : shares.counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / n;
    shares.majority = std::max(shares.majority, share);
    shares.rarest = shares.rarest == 0 ? share : std::min(shares.rarest, share);
  }
  return shares;
}

ItemSetStatistics SingleLabelStatistics(const Corpus& corpus, const std::vector<size_t>& items) {
  std::map<std::string, std::vector<size_t>> by_task;
  std::map<std::string, int64_t> cluster_sizes;
  for (const size_t i : items) {
    if (corpus.items[i].multi_label || corpus.items[i].is_conversation()) continue;
    by_task[corpus.items[i].task].push_back(i);
    ++cluster_sizes[corpus.items[i].cluster_id];
  }
  ItemSetStatistics out;
  for (const auto& [task, members] : by_task) {
    const double rarest = GoldShares(corpus, members).rarest;
    for (const size_t i : members) {
      out.chance += std::min(1.0 / static_cast<double>(corpus.items[i].choices.size()), rarest);
    }
    out.items += static_cast<int64_t>(members.size());
  }
  if (out.items == 0) return out;
  out.chance /= static_cast<double>(out.items);
  double squares = 0, weights = 0, squared_weights = 0;
  for (const auto& [cluster, size] : cluster_sizes) {
    const double m = static_cast<double>(size);
    const double w = m * (1 + kClusterCorrelation * (m - 1));
    squares += m * m;
    weights += w;
    squared_weights += w * w;
  }
  out.clusters = static_cast<int64_t>(cluster_sizes.size());
  out.mean_cluster_size = squares / static_cast<double>(out.items);
  out.design_effect = 1 + kClusterCorrelation * (out.mean_cluster_size - 1);
  out.effective_clusters = weights * weights / squared_weights;
  return out;
}

}  // namespace scm::corpus
