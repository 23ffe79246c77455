#include "statistics/loss_reduction.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::statistics {
namespace {

absl::Status CheckDocuments(const std::vector<DocumentLoss>& documents) {
  if (documents.empty() || documents[0].seeds.empty()) {
    return absl::InvalidArgumentError("a loss reduction needs documents and at least one seed");
  }
  for (size_t c = 0; c < documents.size(); ++c) {
    if (documents[c].seeds.size() != documents[0].seeds.size()) {
      return absl::InvalidArgumentError(absl::StrCat("document number ", c, " has losses of ",
                                                     documents[c].seeds.size(), " seeds, not ",
                                                     documents[0].seeds.size()));
    }
    std::vector<double> losses = documents[c].seeds;
    losses.push_back(documents[c].base);
    for (double loss : losses) {
      if (!std::isfinite(loss) || loss < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("document number ", c, " has a loss of ", loss));
      }
    }
  }
  return absl::OkStatus();
}

// G* = (Σ L_c0)² / Σ L_c0²: a document counts by its loss.
double EffectiveDocuments(const std::vector<double>& base) {
  double sum = 0, squares = 0;
  for (double loss : base) {
    sum += loss;
    squares += loss * loss;
  }
  return squares > 0 ? sum * sum / squares : 0;
}

}  // namespace

double CappedBaseLoss(const DocumentLoss& document, double chance_loss) {
  if (std::isinf(chance_loss)) return document.base;
  return std::min(document.base, document.answers * chance_loss);
}

absl::StatusOr<Estimate> LossReduction(const std::vector<DocumentLoss>& documents,
                                       double chance_loss, double confidence) {
  SCM_RETURN_IF_ERROR(CheckDocuments(documents));
  const size_t clusters = documents.size(), seeds = documents[0].seeds.size();
  std::vector<double> base(clusters);
  double base_sum = 0;
  for (size_t c = 0; c < clusters; ++c) {
    base[c] = CappedBaseLoss(documents[c], chance_loss);
    base_sum += base[c];
  }
  Estimate out;
  out.confidence = confidence;
  out.clusters = static_cast<int>(clusters);
  out.seeds = static_cast<int>(seeds);
  for (const DocumentLoss& document : documents) out.items += document.answers;
  out.effective_clusters = EffectiveDocuments(base);
  if (!(base_sum > 0)) {
    out.cannot_be_judged = "the base model's loss is zero, so there is nothing to reduce";
    return out;
  }
  std::vector<double> reduction(seeds, 1);
  out.value = 0;
  for (size_t s = 0; s < seeds; ++s) {
    for (const DocumentLoss& document : documents) reduction[s] -= document.seeds[s] / base_sum;
    out.value += reduction[s] / static_cast<double>(seeds);
  }
  out.cannot_be_judged = TooFewClusters(out.clusters, out.effective_clusters);
  if (clusters < 2) return out;

  TwoWayInput input;
  input.effective_clusters = out.effective_clusters;
  for (size_t s = 0; s < seeds; ++s) {
    std::vector<double> z(clusters, 0);
    for (size_t c = 0; c < clusters; ++c) {
      const double rest = base_sum - base[c];
      const double excess = base[c] * (1 - out.value) - documents[c].seeds[s];
      if (rest > 0) z[c] = (static_cast<double>(clusters) - 1) * excess / rest;
    }
    input.z.push_back(std::move(z));
    input.seed_deviation.push_back(reduction[s] - out.value);
  }
  out.variance = ComputeTwoWay(input);
  SetLinearInterval(out);
  out.high = std::min(out.high, 1.0);
  RefuseWithoutSpread(out, "reduction");
  return out;
}

BootstrapInterval BootstrapLossReduction(const std::vector<DocumentLoss>& documents,
                                         double chance_loss, const BootstrapOptions& options) {
  if (!CheckDocuments(documents).ok()) return {};
  const size_t seeds = documents[0].seeds.size();
  return BootstrapStatistic(
      static_cast<int>(seeds), static_cast<int>(documents.size()),
      [&](const BootstrapWeights& weights) {
        double before = 0, after = 0;
        for (size_t c = 0; c < documents.size(); ++c) {
          if (weights.clusters[c] == 0) continue;
          before += weights.clusters[c] * CappedBaseLoss(documents[c], chance_loss);
          for (size_t s = 0; s < seeds; ++s) {
            after += weights.clusters[c] * weights.seeds[s] * documents[c].seeds[s];
          }
        }
        return before > 0 ? 1 - after / static_cast<double>(seeds) / before : kNotANumber;
      },
      options);
}

}  // namespace scm::statistics
