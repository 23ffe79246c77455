#include "coordinator/core/run_event.h"

#include <algorithm>
#include <cmath>

namespace scm {
namespace {

// A trainer counts from its checkpoint when it resumes, so that `tokens` falls back; what is
// exported as a counter adds up what was done, the steps done twice included.
void CountTokens(Run& run, double now) {
  if (!std::isfinite(now)) return;
  const auto before = run.latest.find("tokens");
  run.tokens_total += std::max(0.0, now - (before == run.latest.end() ? 0.0 : before->second));
}

struct RunChange {
  Run& run;

  void On(const MetricsReported& event) const {
    run.step = std::max(run.step, event.step);
    for (const auto& [name, value] : event.metrics) {
      if (name == "tokens") CountTokens(run, value);
      run.metric_names.insert(name);
      run.latest[name] = value;
    }
  }
  void On(const NamesRefused&) const { run.names_refused = true; }
  void On(const ValidationReported& event) const {
    if (run.validations.Find(event.validation.step) != nullptr) {
      run.validations.Replace(event.validation);
    } else {
      run.validations.Insert(event.validation);
    }
  }
  void On(const SweepMetricMissed& event) const { run.metric_missing = event.why; }
  void On(const RunWarned& event) const { run.warnings.push_back(event.warning); }
  void On(const RungTold& event) const { run.searched_step = event.step; }
  void On(const BestStepFound& event) const { run.best_step = event.step; }
  void On(const RunRewound& event) const {
    if (event.attempt > 1) run.resumes.emplace_back(event.attempt, event.step);
    if (run.step > event.step) run.latest.clear();
    run.step = std::min(run.step, event.step);
    if (event.step == 0 && event.attempt > 1) {
      run.validations.Clear();
    } else {
      run.validations.KeepUpTo(event.step);
    }
  }
};

}  // namespace

void Apply(const RunEvent& event, Run& run) {
  RunChange change{run};
  std::visit([&](const auto& each) { change.On(each); }, event);
}

}  // namespace scm
