#include "coordinator/core/policy/slip.h"

#include "absl/strings/str_cat.h"
#include "common/human.h"

namespace scm::policy {
namespace {

constexpr char kSlipRule[] = "slip";

}  // namespace

absl::Duration ProjectedSlip(absl::CivilDay finish_by, absl::Time projected_finish) {
  return projected_finish - absl::FromCivil(finish_by + 1, absl::UTCTimeZone());
}

Verdict EvaluateSlip(const SlipSnapshot& snapshot) {
  if (!snapshot.projected_finish) {
    return UndecidedVerdict(kSlipRule, "slip is undecided: the finish cannot be projected yet");
  }
  const absl::Duration slip = ProjectedSlip(snapshot.finish_by, *snapshot.projected_finish);
  const absl::Duration limit = absl::Hours(24) * snapshot.max_slip_days;
  const std::string day = absl::FormatCivilTime(snapshot.finish_by);
  const std::string finish = Rfc3339(*snapshot.projected_finish);
  if (slip <= limit) {
    Verdict verdict = ContinueVerdict(
        kSlipRule, absl::StrCat("projected to finish at ", finish, ", due on ", day));
    if (slip > absl::ZeroDuration()) {
      verdict.warning = absl::StrCat("projected to finish ", HumanDuration(slip), " after ", day,
                                     "; ", HumanDuration(limit), " are permitted");
    }
    return verdict;
  }
  Evidence e;
  e.rule = kSlipRule;
  e.subject = snapshot.experiment;
  e.reason = absl::StrCat("slip: projected to finish ", HumanDuration(slip), " after ", day,
                          ", more than the permitted ", HumanDuration(limit));
  e.seen = absl::StrCat("projected finish ", finish, ", ", HumanDuration(slip), " late");
  e.threshold = absl::StrCat("at most ", HumanDuration(limit), " after ", day);
  e.confidence = "a projection from measured speed, the queue and the retries so far";
  e.window_steps = {0};
  e.window_values = {absl::ToDoubleSeconds(slip)};
  e.statistic = {{"slip_seconds", absl::ToDoubleSeconds(slip)}};
  e.limits = {{"max_slip_seconds", absl::ToDoubleSeconds(limit)}};
  return AbortVerdict(std::move(e), /*censored=*/true);
}

}  // namespace scm::policy
