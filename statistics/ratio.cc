#include "statistics/ratio.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "statistics/student_t.h"

namespace scm::statistics {

absl::StatusOr<Estimate> RatioInterval(const ScoreTable& model, const std::vector<double>& baseline,
                                       double confidence) {
  SCM_RETURN_IF_ERROR(Difference(model, baseline).status());
  SCM_ASSIGN_OR_RETURN(Estimate out, ScoreInterval(model, confidence));
  SCM_ASSIGN_OR_RETURN(Estimate base, ScoreInterval({model.cluster, {baseline}}, confidence));
  SCM_ASSIGN_OR_RETURN(ClusterTotals y, Aggregate(model));
  SCM_ASSIGN_OR_RETURN(ClusterTotals b, Aggregate({model.cluster, {baseline}}));
  if (out.judged() && !base.judged()) {
    out.cannot_be_judged = absl::StrCat("of the baseline's score, ", base.cannot_be_judged);
  }
  const double mean = out.value, base_mean = base.value;
  out.value = out.low = out.high = kNotANumber;
  out.variance = {};
  if (!(mean > 0 && base_mean > 0) || out.clusters < 2) return out;

  // d log(θ/β) = dθ/θ − dβ/β, cluster by cluster.
  TwoWayInput input = MeanDeletionValues(y);
  const TwoWayInput base_input = MeanDeletionValues(b);
  for (size_t s = 0; s < input.z.size(); ++s) {
    for (size_t c = 0; c < input.z[s].size(); ++c) {
      input.z[s][c] = input.z[s][c] / mean - base_input.z[0][c] / base_mean;
    }
    input.seed_deviation[s] /= mean;
  }
  out.value = mean / base_mean;
  out.variance = ComputeTwoWay(input);
  const double margin =
      StudentQuantile(0.5 + 0.5 * confidence, out.variance.df) * std::sqrt(out.variance.total);
  out.low = out.value * std::exp(-margin);
  out.high = out.value * std::exp(margin);
  RefuseWithoutSpread(out, "ratio");
  return out;
}

}  // namespace scm::statistics
