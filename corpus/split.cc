#include "corpus/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/rng.h"
#include "common/status_macros.h"

namespace scm::corpus {
namespace {

// Union-find over documents: those that share a cluster end up under one root.
class DocumentGroups {
 public:
  explicit DocumentGroups(size_t size) : parent_(size) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
  }
  size_t Root(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void Join(size_t a, size_t b) { parent_[Root(a)] = Root(b); }

 private:
  std::vector<size_t> parent_;
};

struct Group {
  std::string jurisdiction;
  uint64_t draw = 0;
  std::string id;  // smallest document id, which names the group
  std::vector<size_t> documents;
};

std::vector<Group> MakeGroups(const Corpus& corpus, int64_t seed) {
  DocumentGroups joined(corpus.documents.size());
  std::map<std::string, size_t> document_of_cluster;
  for (const Item& item : corpus.items) {
    // An item that is placed by hand says nothing about where its document belongs.
    if (item.split) continue;
    const auto document = corpus.document_index.find(item.document);
    if (document == corpus.document_index.end()) continue;
    const auto [it, first] = document_of_cluster.emplace(item.cluster_id, document->second);
    if (!first) joined.Join(it->second, document->second);
  }
  std::map<size_t, Group> by_root;
  for (size_t i = 0; i < corpus.documents.size(); ++i) {
    const Document& document = corpus.documents[i];
    Group& group = by_root[joined.Root(i)];
    group.documents.push_back(i);
    if (group.id.empty() || document.id < group.id) {
      group.id = document.id;
      group.jurisdiction = document.jurisdiction;
    }
  }
  std::vector<Group> groups;
  for (auto& [root, group] : by_root) {
    group.draw =
        Philox(static_cast<uint64_t>(seed), absl::StrCat("corpus/split/", group.id)).Next64();
    groups.push_back(std::move(group));
  }
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return std::tie(a.jurisdiction, a.draw, a.id) < std::tie(b.jurisdiction, b.draw, b.id);
  });
  return groups;
}

absl::Status CheckRatios(const SplitOptions& options) {
  for (const double ratio : {options.train, options.validation, options.test}) {
    if (!(ratio >= 0 && ratio <= 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("data.split: ", ratio, " is no share; expected 0 to 1"));
    }
  }
  const double sum = options.train + options.validation + options.test;
  if (std::abs(sum - 1) > 1e-6) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.split: train + validation + test is ", sum, "; expected 1"));
  }
  return absl::OkStatus();
}

// The split of each group, in order: always the one that is furthest below its ratio.
std::vector<size_t> ShareOut(const std::vector<Group>& groups, const double (&ratios)[3]) {
  double given[3] = {0, 0, 0}, total = 0;
  std::vector<size_t> split_of;
  for (const Group& group : groups) {
    const double size = static_cast<double>(group.documents.size());
    total += size;
    size_t neediest = 0;
    for (size_t s = 1; s < 3; ++s) {
      const double lead =
          (ratios[s] * total - given[s]) - (ratios[neediest] * total - given[neediest]);
      if (lead > 1e-9)
        neediest = s;  // the margin: ties go to the earlier split whatever the rounding
    }
    given[neediest] += size;
    split_of.push_back(neediest);
  }
  return split_of;
}

// Gives an empty split that wants something the last group of the fullest one.
void FillEmptySplits(const double (&ratios)[3], std::vector<size_t>* split_of) {
  for (size_t s = 0; s < 3; ++s) {
    size_t groups[3] = {0, 0, 0};
    for (const size_t split : *split_of) ++groups[split];
    const size_t fullest = std::max_element(groups, groups + 3) - groups;
    if (ratios[s] == 0 || groups[s] > 0 || groups[fullest] < 2) continue;
    *std::find(split_of->rbegin(), split_of->rend(), fullest) = s;
  }
}

}  // namespace

absl::StatusOr<SplitAssignment> AssignSplits(const Corpus& corpus, const SplitOptions& options) {
  SCM_RETURN_IF_ERROR(CheckRatios(options));
  const double ratios[3] = {options.train, options.validation, options.test};
  const std::vector<Group> groups = MakeGroups(corpus, options.seed);
  std::vector<size_t> split_of = ShareOut(groups, ratios);
  FillEmptySplits(ratios, &split_of);
  SplitAssignment assignment;
  assignment.documents.resize(corpus.documents.size(), Split::kTrain);
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const size_t i : groups[g].documents) assignment.documents[i] = kAllSplits[split_of[g]];
  }
  for (const Item& item : corpus.items) {
    const auto document = corpus.document_index.find(item.document);
    const bool known = document != corpus.document_index.end();
    const Split inherited = known ? assignment.documents[document->second] : Split::kTrain;
    assignment.items.push_back(item.split.value_or(inherited));
  }
  return assignment;
}

int64_t SplitAssignment::CountItems(Split split) const {
  return std::count(items.begin(), items.end(), split);
}

int64_t SplitAssignment::CountDocuments(Split split) const {
  return std::count(documents.begin(), documents.end(), split);
}

std::vector<size_t> ItemsOf(const Corpus& corpus, const SplitAssignment& assignment, Split split,
                            const std::vector<std::string>& tasks) {
  const std::set<std::string> wanted(tasks.begin(), tasks.end());
  std::vector<size_t> found;
  for (size_t i = 0; i < corpus.items.size(); ++i) {
    if (assignment.items[i] != split) continue;
    if (wanted.empty() || wanted.count(corpus.items[i].task) > 0) found.push_back(i);
  }
  return found;
}

}  // namespace scm::corpus
