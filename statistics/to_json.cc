#include "statistics/to_json.h"

#include <cmath>

namespace scm::statistics {
namespace {

Json NumberOrNull(double value) { return std::isnan(value) ? Json(nullptr) : JsonNumber(value); }

}  // namespace

Json ToJson(const Estimate& estimate) {
  const TwoWayVariance& v = estimate.variance;
  return Json{
      {"value", NumberOrNull(estimate.value)},
      {"low", NumberOrNull(estimate.low)},
      {"high", NumberOrNull(estimate.high)},
      {"confidence", estimate.confidence},
      {"standard_error", NumberOrNull(std::sqrt(v.total))},
      {"df", NumberOrNull(v.df)},
      {"variance", {{"cluster", v.cluster}, {"seed", v.seed}, {"residual", v.residual}}},
      {"items", estimate.items},
      {"clusters", estimate.clusters},
      {"effective_clusters", estimate.effective_clusters},
      {"seeds", estimate.seeds},
      {"cannot_be_judged", estimate.judged() ? Json(nullptr) : Json(estimate.cannot_be_judged)}};
}

Json ToJson(const Gate& gate) {
  return Json{{"name", gate.name},
              {"asked", NumberOrNull(gate.asked)},
              {"found", NumberOrNull(gate.found)},
              {"low", NumberOrNull(gate.low)},
              {"high", NumberOrNull(gate.high)},
              {"result", GateResultName(gate.result)},
              {"replication", NumberOrNull(gate.replication)},
              {"sentence", gate.sentence}};
}

}  // namespace scm::statistics
