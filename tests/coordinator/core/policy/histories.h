// Histories of runs by hand, for table tests.
#pragma once

#include <utility>
#include <vector>

#include "coordinator/core/policy/run_history.h"

namespace scm::policy {

// Validations every `eval_steps` from step 0, with these losses.
inline RunHistory HistoryOf(const std::vector<double>& losses, int64_t eval_steps = 50,
                            int64_t max_steps = 2000) {
  RunHistory out;
  out.run = "r-1";
  out.max_steps = max_steps;
  out.eval_steps = eval_steps;
  for (size_t i = 0; i < losses.size(); ++i) {
    Validation point;
    point.step = out.step = static_cast<int64_t>(i) * eval_steps;
    point.loss = losses[i];
    out.validations.push_back(point);
  }
  return out;
}

// `n` losses from a function of the step; the first is the base model's.
template <typename Function>
RunHistory CurveHistory(int64_t last_step, Function loss, int64_t eval_steps = 50,
                        int64_t max_steps = 2000) {
  std::vector<double> losses;
  for (int64_t step = 0; step <= last_step; step += eval_steps) losses.push_back(loss(step));
  return HistoryOf(losses, eval_steps, max_steps);
}

// Validations from step 500 every 50 with these (correct, items), chance .25, deff 1.
inline RunHistory AccuracyHistory(const std::vector<std::pair<int64_t, int64_t>>& counts,
                                  double chance = 0.25, double deff = 1) {
  RunHistory out;
  out.run = "r-1";
  out.max_steps = 2000;
  out.eval_steps = 50;
  int64_t step = 500;
  for (const auto& [correct, items] : counts) {
    Validation point;
    point.step = step;
    point.loss = 1;
    point.counts = ValidationCounts{correct, items, chance, deff};
    out.validations.push_back(point);
    out.step = step;
    step += 50;
  }
  return out;
}

}  // namespace scm::policy
