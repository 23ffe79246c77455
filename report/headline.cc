#include "report/headline.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "report/decision.h"

namespace scm::report {
namespace {

using statistics::Estimate;
using statistics::Gate;
using statistics::SeedOutcome;

constexpr double kLevel = 0.05;  // of a difference that may be called one

// Two digits, or three where two would hide on which side of the gate a limit lies.
int DigitsFor(const Estimate& estimate, double asked) {
  return std::fabs(estimate.low - asked) < 0.005 ? 3 : 2;
}

std::string PInSentence(double p) {
  return p < 0.001 ? "p < .001" : absl::StrFormat("p = %.3f", p);
}

std::string IntervalInSentence(const Estimate& d) {
  if (!std::isfinite(d.low) || !std::isfinite(d.high)) return "no interval";
  return absl::StrFormat("95 %% interval %+.1f to %+.1f", 100 * d.low, 100 * d.high);
}

// The p that counts for this comparison: Holm's where it is one of many.
double PThatCounts(const TaskComparison& one) { return one.primary ? one.p_value : one.holm_p; }

// A difference whose interval and p-value both exclude none.
bool IsShown(const TaskComparison& one) {
  const Estimate& d = one.difference.estimate;
  return one.missing.empty() && d.judged() && PThatCounts(one) < kLevel &&
         (d.low > 0 || d.high < 0);
}

bool IsJudged(const TaskComparison& one) {
  return one.missing.empty() && one.difference.estimate.judged() && std::isfinite(PThatCounts(one));
}

std::string ChanceText(const TaskResult& task) {
  if (!std::isfinite(task.chance)) return "";
  const std::string chance = absl::StrFormat("; chance is %.2f", task.chance);
  if (task.against_chance == "not separable from chance") {
    return chance + ", from which it cannot be told apart";
  }
  if (task.against_chance == "below chance") return chance + ", which is more";
  return chance;
}

// "over 4 of 5 seeds (seed 13 was aborted and counts with the base's answers)".
std::string OverSeeds(const Findings& findings, const TaskResult& task) {
  size_t trained = 0;
  std::vector<std::string> substituted;
  for (const Seed& seed : findings.seeds) {
    trained += seed.outcome == SeedOutcome::kTrained ? 1 : 0;
    if (seed.outcome == SeedOutcome::kAbortedByRule && task.score.trained_only) {
      substituted.push_back(seed.name);
    }
  }
  const size_t all = findings.seeds.size();
  std::string text = absl::StrCat("over ", trained, " of ", all, all == 1 ? " seed" : " seeds");
  if (!substituted.empty()) {
    absl::StrAppend(&text, " (", absl::StrJoin(substituted, ", "),
                    substituted.size() == 1 ? " was aborted and counts" : " were aborted and count",
                    " with the base's answers)");
  }
  return text;
}

std::string FirstSentence(const Findings& findings, const TaskResult& task) {
  const auto gate = std::find_if(findings.gates.begin(), findings.gates.end(),
                                 [](const Gate& g) { return g.name == "accuracy"; });
  const bool asked = gate != findings.gates.end();
  const int digits = asked ? DigitsFor(task.score.estimate, gate->asked) : 2;
  std::string text = absl::StrCat(
      task.multi_label ? "The share of exactly right sets on " : "Accuracy on ", task.task, " is ",
      EstimateText(task.score.estimate, digits), ", ", OverSeeds(findings, task), ChanceText(task));
  if (asked) {
    absl::StrAppend(&text, "; the gate asks that the lower bound exceed ",
                    absl::StrFormat("%.*f", digits, gate->asked));
  }
  return text + ".";
}

std::string SecondSentence(const TaskResult& task, const TaskComparison* primary) {
  if (primary == nullptr) return "No primary comparison was named.";
  std::string text = ComparisonText(*primary);
  const double base = primary->baseline_score.value;
  if (primary->missing.empty() && base < task.chance) {
    absl::StrAppend(&text, "; ", primary->baseline, absl::StrFormat(" itself scores %.2f", base),
                    ", below chance");
  }
  return text + ".";
}

struct OtherDifference {
  std::string text;  // without a full stop
  double value = 0;
};

// The significant ones, the worst loss first.
std::vector<OtherDifference> ShownElsewhere(const Findings& findings) {
  std::vector<OtherDifference> shown;
  for (const TaskResult& task : findings.tasks) {
    for (const TaskComparison& one : task.comparisons) {
      if (one.primary || !IsShown(one)) continue;
      const Estimate& d = one.difference.estimate;
      shown.push_back(
          {absl::StrFormat("On %s it %s %.1f points against %s (%s, %s after Holm's "
                           "correction)",
                           task.task, d.value < 0 ? "loses" : "gains", 100 * std::fabs(d.value),
                           one.baseline, IntervalInSentence(d), PInSentence(one.holm_p)),
           d.value});
    }
  }
  std::stable_sort(
      shown.begin(), shown.end(),
      [](const OtherDifference& a, const OtherDifference& b) { return a.value < b.value; });
  return shown;
}

std::string ThirdSentence(const Findings& findings) {
  const std::vector<OtherDifference> shown = ShownElsewhere(findings);
  const auto losses = std::count_if(shown.begin(), shown.end(),
                                    [](const OtherDifference& one) { return one.value < 0; });
  if (losses == 0) return "";
  const std::string more = losses == 1
                               ? ""
                               : absl::StrCat("; ", losses - 1,
                                              losses == 2 ? " more comparison shows a loss"
                                                          : " more comparisons show a loss");
  return absl::StrCat(" ", shown.front().text, more, ".");
}

// "the stage evaluate FAILED: no worker"; "" where nothing kept it from evaluating.
std::string WhyNotEvaluated(const Findings& findings) {
  bool found = false;
  for (const Json& stage : MemberAt(findings.data, "stages")) {
    if (StringAt(stage, "name") != "evaluate") continue;
    found = true;
    const std::string state = StringAt(stage, "state"), reason = StringAt(stage, "reason");
    if (state == "PENDING" || state == "RUNNING") return "the evaluation is not over yet";
    if (state != "SUCCEEDED") {
      return absl::StrCat("the stage evaluate is ", state, reason.empty() ? "" : ": ",
                          absl::StripSuffix(reason, "."));
    }
  }
  return found ? "" : "this experiment has no stage evaluate";
}

}  // namespace

std::string ComparisonText(const TaskComparison& one) {
  const std::string against = absl::StrCat("Against ", one.baseline, " ");
  if (!one.missing.empty()) return absl::StrCat(against, "nothing can be said: ", one.missing);
  const Estimate& d = one.difference.estimate;
  if (!IsJudged(one)) {
    const std::string found =
        std::isfinite(d.value) ? absl::StrFormat(" of %+.1f points", 100 * d.value) : "";
    return absl::StrCat(against, "the difference", found, " cannot be judged: ",
                        d.judged() ? "its p-value does not exist" : d.cannot_be_judged);
  }
  const std::string proof =
      absl::StrCat(IntervalInSentence(d), ", ", PInSentence(PThatCounts(one)));
  if (!IsShown(one)) {
    return absl::StrFormat("%sno difference was shown (%+.1f points, %s)", against, 100 * d.value,
                           proof);
  }
  return absl::StrFormat("%sit %s %.1f points (%s)", against, d.value < 0 ? "loses" : "gains",
                         100 * std::fabs(d.value), proof);
}

std::vector<std::string> OtherDifferences(const Findings& findings) {
  std::vector<std::string> sentences, none;
  for (const OtherDifference& one : ShownElsewhere(findings)) sentences.push_back(one.text + ".");
  for (const TaskResult& task : findings.tasks) {
    for (const TaskComparison& one : task.comparisons) {
      if (one.primary || !IsJudged(one) || IsShown(one)) continue;
      none.push_back(absl::StrCat(task.task, " against ", one.baseline));
    }
  }
  if (!none.empty()) {
    sentences.push_back(absl::StrCat("No difference was shown on ", absl::StrJoin(none, ", "),
                                     " (after Holm's correction)."));
  }
  return sentences;
}

std::string Headline(const Findings& findings) {
  const TaskResult& task = *findings.PrimaryTask();
  return absl::StrCat(FirstSentence(findings, task), " ",
                      SecondSentence(task, findings.PrimaryComparison()), ThirdSentence(findings));
}

std::string HeadlineWithoutEvaluation(const Findings& findings) {
  const size_t all = findings.seeds.size();
  const size_t finished = static_cast<size_t>(findings.TrainedSeeds());
  const auto open = std::count_if(findings.seeds.begin(), findings.seeds.end(), [](const Seed& s) {
    return s.state != "SUCCEEDED" && s.state != "ABORTED" && s.state != "FAILED" &&
           s.state != "CANCELLED";
  });
  std::string text =
      all == 0 ? "No seeds were trained."
      : finished == 0 && open == 0
          ? absl::StrCat(all == 1 ? "The only seed did not finish."
                                  : absl::StrCat("None of ", all, " seeds finished."))
          : absl::StrCat(finished, " of ", all, all == 1 ? " seed" : " seeds", " finished",
                         open > 0 ? absl::StrCat(", ", open, " not over yet") : "", ".");
  const std::string why = WhyNotEvaluated(findings);
  absl::StrAppend(&text, " Nothing was evaluated", why.empty() ? "" : ": ", why,
                  finished == 0 && open == 0 ? "." : "; there is nothing to decide.");
  return text;
}

}  // namespace scm::report
