#include "coordinator/core/policy/below_random.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"
#include "statistics/binomial.h"

namespace scm::policy {
namespace {

constexpr char kBelowRandom[] = "below_random";

// "" or what a validation lacks.
std::string Missing(const Validation& point) {
  if (!point.counts || point.counts->items < 1) return "the number of items";
  if (point.counts->items > kMostItems) return "a number of items that can be";
  if (!(point.counts->chance > 0 && point.counts->chance < 1)) return "the level of chance";
  if (!(point.counts->deff >= 1)) return "the design effect (deff, 1 or more)";
  if (point.counts->correct < 0 || point.counts->correct > point.counts->items) {
    return "a number of right answers between 0 and the number of items";
  }
  return "";
}

void AddLook(const Validation& point, const std::string& which, Evidence& e) {
  const ChanceTest look = TestAgainstChance(*point.counts);
  e.window_steps.push_back(point.step);
  e.window_values.push_back(static_cast<double>(point.counts->correct) /
                            static_cast<double>(point.counts->items));
  e.statistic.insert(e.statistic.end(),
                     {{"correct_" + which, static_cast<double>(point.counts->correct)},
                      {"items_" + which, static_cast<double>(point.counts->items)},
                      {"chance_" + which, point.counts->chance},
                      {"deff_" + which, point.counts->deff},
                      {"probability_" + which, look.probability}});
}

Evidence MakeEvidence(const std::string& run, const BelowRandomSpec& spec, int64_t looks,
                      const Validation& first, const Validation& second) {
  Evidence e;
  e.rule = kBelowRandom;
  e.subject = run;
  e.step = second.step;
  const double level = spec.false_abort / static_cast<double>(looks);
  AddLook(first, "1", e);
  AddLook(second, "2", e);
  e.limits = {{"level", level},
              {"false_abort", spec.false_abort},
              {"looks", static_cast<double>(looks)},
              {"after_step", static_cast<double>(spec.after_step)}};
  e.reason = absl::StrFormat(
      "below random: %d of %d validation items right at step %d (and %d of %d at step %d before), "
      "where guessing gives %s",
      second.counts->correct, second.counts->items, second.step, first.counts->correct,
      first.counts->items, first.step, HumanNumber(second.counts->chance));
  e.seen =
      absl::StrFormat("accuracy %s at step %d and %s at step %d; guessing gives %s",
                      HumanNumber(e.window_values[0]), first.step, HumanNumber(e.window_values[1]),
                      second.step, HumanNumber(second.counts->chance));
  e.threshold = absl::StrFormat(
      "probability under guessing %.2g and %.2g, both at most %.2g (%s shared by %d looks)",
      TestAgainstChance(*first.counts).probability, TestAgainstChance(*second.counts).probability,
      level, HumanNumber(spec.false_abort), looks);
  e.confidence = absl::StrFormat(
      "a model that guesses is aborted in at most %s of runs; items count as %d independent ones",
      HumanNumber(spec.false_abort), TestAgainstChance(*second.counts).effective_items);
  e.false_abort_rate = spec.false_abort;
  return e;
}

}  // namespace

int64_t LooksOfBelowRandom(const BelowRandomSpec& spec, int64_t max_steps, int64_t eval_steps) {
  if (eval_steps < 1 || max_steps < spec.after_step) return 1;
  return (max_steps - spec.after_step) / eval_steps + 1;
}

ChanceTest TestAgainstChance(const ValidationCounts& counts) {
  ChanceTest out;
  out.effective_items = static_cast<int64_t>(static_cast<double>(counts.items) / counts.deff);
  if (out.effective_items < 1) return out;
  // Integer arithmetic: a quotient rounded up must not depend on the last bit of a division.
  out.effective_correct = (counts.correct * out.effective_items + counts.items - 1) / counts.items;
  out.probability =
      statistics::BinomialCdf(out.effective_correct, out.effective_items, counts.chance);
  return out;
}

int64_t FewestItemsToFire(double chance, double false_abort, int64_t looks) {
  const double level = false_abort / static_cast<double>(looks);
  int64_t items = std::max<int64_t>(
      1, static_cast<int64_t>(std::floor(std::log(level) / std::log1p(-chance))) - 1);
  while (statistics::BinomialCdf(0, items, chance) > level) ++items;
  return items;
}

namespace {

class BelowRandomWatch : public RunWatch {
 public:
  BelowRandomWatch(BelowRandomSpec spec, std::string run, int64_t looks)
      : spec_(spec),
        run_(std::move(run)),
        looks_(looks),
        verdict_(UndecidedVerdict(
            kBelowRandom, absl::StrCat("below_random looks from step ", spec.after_step, " on"))) {}

  void See(const Validation& point) override {
    if (verdict_.kind == VerdictKind::kAbort || point.step < spec_.after_step) return;
    const std::optional<Validation> before = std::exchange(flagged_, std::nullopt);
    if (std::string missing = Missing(point); !missing.empty()) {
      verdict_ = UndecidedVerdict(
          kBelowRandom,
          absl::StrCat("below_random is undecided: the validation reports do not carry ", missing));
      return;
    }
    if (TestAgainstChance(*point.counts).probability >
        spec_.false_abort / static_cast<double>(looks_)) {
      verdict_ = ContinueVerdict(
          kBelowRandom,
          absl::StrFormat("not below random: %d of %d right at step %d, guessing gives %s",
                          point.counts->correct, point.counts->items, point.step,
                          HumanNumber(point.counts->chance)));
      return;
    }
    if (before) {
      verdict_ = AbortVerdict(MakeEvidence(run_, spec_, looks_, *before, point));
      return;
    }
    flagged_ = point;
    verdict_ = UndecidedVerdict(
        kBelowRandom,
        absl::StrFormat(
            "below_random is undecided: step %d is below guessing (%d of %d right), the "
            "next validation decides",
            point.step, point.counts->correct, point.counts->items));
  }

  Verdict Judge(const RunHistory& /*run*/, absl::Time /*now*/) const override { return verdict_; }

 private:
  const BelowRandomSpec spec_;
  const std::string run_;
  const int64_t looks_;
  Verdict verdict_;
  std::optional<Validation> flagged_;  // the look just before, if it was flagged
};

}  // namespace

std::unique_ptr<RunWatch> BelowRandomPolicy::Watch(const RunHistory& run) const {
  return std::make_unique<BelowRandomWatch>(
      spec_, run.run, LooksOfBelowRandom(spec_, run.max_steps, run.eval_steps));
}

}  // namespace scm::policy
