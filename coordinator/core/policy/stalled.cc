#include "coordinator/core/policy/stalled.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"

namespace scm::policy {

Verdict StalledPolicy::Evaluate(const RunHistory& history, absl::Time now) const {
  if (history.started_at == absl::InfinitePast()) {
    return UndecidedVerdict(rule(), "stalled is undecided: the trainer has not started");
  }
  const absl::Time since =
      std::max({history.started_at, history.last_report, history.listening_since});
  const absl::Duration silence = now - since;
  const absl::Duration limit = absl::Minutes(spec_.minutes);
  if (silence < limit) {
    return ContinueVerdict(
        rule(), absl::StrCat("the last sign of life is ", HumanDuration(silence), " old"));
  }
  Evidence e;
  e.rule = rule();
  e.subject = history.run;
  e.step = history.step;
  e.reason = absl::StrCat("stalled: no report for ", HumanDuration(silence), " at step ",
                          history.step, ", limit ", HumanDuration(limit));
  e.seen =
      absl::StrCat("the last report came ", HumanDuration(silence), " ago, at step ", history.step);
  e.threshold = absl::StrCat("a trainer must report at least every ", HumanDuration(limit));
  e.confidence = "certain about the silence; a step slower than the limit looks the same";
  e.window_steps = {history.step};
  e.window_values = {absl::ToDoubleSeconds(silence)};
  e.statistic = {{"silence_seconds", absl::ToDoubleSeconds(silence)}};
  e.limits = {{"limit_seconds", absl::ToDoubleSeconds(limit)}};
  return AbortVerdict(std::move(e), /*censored=*/true);
}

}  // namespace scm::policy
