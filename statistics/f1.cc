#include "statistics/f1.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::statistics {
namespace {

// True positives, false positives, false negatives of each label.
struct Counts {
  explicit Counts(int labels) : tp(labels, 0), fp(labels, 0), fn(labels, 0) {}
  std::vector<double> tp, fp, fn;

  void Add(const Counts& other, double times) {
    for (size_t k = 0; k < tp.size(); ++k) {
      tp[k] += times * other.tp[k];
      fp[k] += times * other.fp[k];
      fn[k] += times * other.fn[k];
    }
  }
};

double Ratio(double tp, double fp, double fn) {
  const double denominator = 2 * tp + fp + fn;
  return denominator > 0 ? 2 * tp / denominator : 0;
}

double F1Of(const Counts& counts, F1Average average) {
  const size_t labels = counts.tp.size();
  double tp = 0, fp = 0, fn = 0, sum = 0;
  for (size_t k = 0; k < labels; ++k) {
    sum += Ratio(counts.tp[k], counts.fp[k], counts.fn[k]);
    tp += counts.tp[k];
    fp += counts.fp[k];
    fn += counts.fn[k];
  }
  return average == F1Average::kMacro ? sum / static_cast<double>(labels) : Ratio(tp, fp, fn);
}

absl::Status Check(const LabelAnswers& answers) {
  if (answers.labels < 1) return absl::InvalidArgumentError("F1 needs the list of labels");
  if (answers.gold.size() != answers.cluster.size()) {
    return absl::InvalidArgumentError(absl::StrCat("F1 needs one gold answer an item, not ",
                                                   answers.gold.size(), " for ",
                                                   answers.cluster.size(), " items"));
  }
  for (size_t i = 0; i < answers.gold.size(); ++i) {
    for (int label : answers.gold[i]) {
      if (label < 0 || label >= answers.labels) {
        return absl::InvalidArgumentError(absl::StrCat("item number ", i, " has gold label ", label,
                                                       ", outside the list of ", answers.labels));
      }
    }
  }
  for (const auto& seed : answers.predicted) {
    if (seed.size() != answers.gold.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a seed answers ", seed.size(), " items of ", answers.gold.size()));
    }
  }
  return absl::OkStatus();
}

void AddItem(const std::vector<int>& gold_labels, const std::vector<int>& predicted_labels,
             Counts& counts) {
  const std::set<int> gold(gold_labels.begin(), gold_labels.end());
  const std::set<int> predicted(predicted_labels.begin(), predicted_labels.end());
  for (int label : gold) (predicted.count(label) ? counts.tp : counts.fn)[label] += 1;
  for (int label : predicted) {
    const bool known = label >= 0 && static_cast<size_t>(label) < counts.fp.size();
    if (known && !gold.count(label)) counts.fp[label] += 1;
  }
}

// [seed][cluster]
std::vector<std::vector<Counts>> CountAll(const LabelAnswers& answers, int clusters) {
  std::vector<std::vector<Counts>> out;
  for (const auto& seed : answers.predicted) {
    std::vector<Counts> row(clusters, Counts(answers.labels));
    for (size_t i = 0; i < seed.size(); ++i) {
      AddItem(answers.gold[i], seed[i], row[answers.cluster[i]]);
    }
    out.push_back(std::move(row));
  }
  return out;
}

Counts Sum(const std::vector<Counts>& row) {
  Counts out(static_cast<int>(row[0].tp.size()));
  for (const Counts& counts : row) out.Add(counts, 1);
  return out;
}

Estimate JackknifeEstimate(const std::vector<std::vector<Counts>>& counts, F1Average average,
                           const ClusterTotals& totals, double confidence) {
  Estimate out;
  out.confidence = confidence;
  out.items = static_cast<int>(totals.item_count);
  out.clusters = totals.clusters();
  out.seeds = totals.seeds();
  out.effective_clusters = EffectiveClusters(totals.items);
  TwoWayInput input;
  input.effective_clusters = out.effective_clusters;
  out.value = 0;
  for (const std::vector<Counts>& row : counts) {
    const Counts sum = Sum(row);
    const double f1 = F1Of(sum, average);
    std::vector<double> z;
    for (const Counts& cluster : row) {
      Counts rest = sum;
      rest.Add(cluster, -1);
      z.push_back((static_cast<double>(row.size()) - 1) * (f1 - F1Of(rest, average)));
    }
    input.z.push_back(std::move(z));
    input.seed_deviation.push_back(f1);
    out.value += f1 / static_cast<double>(counts.size());
  }
  for (double& deviation : input.seed_deviation) deviation -= out.value;
  out.cannot_be_judged = TooFewClusters(out.clusters, out.effective_clusters);
  if (out.judged()) out.cannot_be_judged = TooExtreme(out.value, out.effective_clusters);
  if (out.clusters >= 2) out.variance = ComputeTwoWay(input);
  SetLogitInterval(out);
  RefuseWithoutSpread(out, "F1");
  return out;
}

}  // namespace

absl::StatusOr<F1Score> F1(const LabelAnswers& answers, F1Average average,
                           const BootstrapOptions& options) {
  SCM_RETURN_IF_ERROR(Check(answers));
  SCM_ASSIGN_OR_RETURN(ClusterTotals totals, Aggregate(ExactSet(answers)));
  const std::vector<std::vector<Counts>> counts = CountAll(answers, totals.clusters());
  F1Score out;
  out.estimate = JackknifeEstimate(counts, average, totals, options.confidence);
  out.bootstrap = BootstrapStatistic(
      totals.seeds(), totals.clusters(),
      [&](const BootstrapWeights& weights) {
        double sum = 0;
        for (int s = 0; s < totals.seeds(); ++s) {
          if (weights.seeds[s] == 0) continue;
          Counts drawn(answers.labels);
          for (int c = 0; c < totals.clusters(); ++c) {
            if (weights.clusters[c] != 0) drawn.Add(counts[s][c], weights.clusters[c]);
          }
          sum += weights.seeds[s] * F1Of(drawn, average);
        }
        return sum / totals.seeds();
      },
      options);
  return out;
}

ScoreTable ExactSet(const LabelAnswers& answers) {
  ScoreTable table;
  table.cluster = answers.cluster;
  for (const auto& seed : answers.predicted) {
    std::vector<double> row;
    for (size_t i = 0; i < seed.size(); ++i) {
      const std::set<int> gold(answers.gold[i].begin(), answers.gold[i].end());
      const std::set<int> predicted(seed[i].begin(), seed[i].end());
      row.push_back(gold == predicted ? 1 : 0);
    }
    table.scores.push_back(std::move(row));
  }
  return table;
}

}  // namespace scm::statistics
