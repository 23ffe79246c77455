#include "statistics/intention_to_treat.h"

#include "absl/strings/str_cat.h"

namespace scm::statistics {

IntentionToTreat ApplyIntentionToTreat(const std::vector<int>& cluster,
                                       const std::vector<SeedScores>& seeds,
                                       const std::vector<double>& base) {
  IntentionToTreat out;
  out.all.cluster = out.trained_only.cluster = cluster;
  const auto refuse = [&out](const SeedScores& seed, const char* why) {
    if (!out.cannot_be_judged.empty()) return;
    out.cannot_be_judged = absl::StrCat(seed.name, " has no result", why,
                                        seed.reason.empty() ? "" : ": ", seed.reason);
  };
  for (const SeedScores& seed : seeds) {
    switch (seed.outcome) {
      case SeedOutcome::kTrained:
        out.all.scores.push_back(seed.scores);
        out.trained_only.scores.push_back(seed.scores);
        break;
      case SeedOutcome::kAbortedByRule:
        if (base.empty()) {
          refuse(seed, ", and the base model's answers, which would stand in, are missing");
        } else {
          out.all.scores.push_back(base);
          out.substituted.push_back(seed.name);
        }
        break;
      case SeedOutcome::kMissing:
        refuse(seed, " and no rule aborted it");
        break;
    }
  }
  if (out.all.scores.empty() && out.cannot_be_judged.empty()) {
    out.cannot_be_judged = "no seed was trained";
  }
  return out;
}

}  // namespace scm::statistics
