#include "claims/judge_claim.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace scm::claims {
namespace {

constexpr double kSlack = 1e-9;  // of decimal numbers in binary

// A stored value with its bounds in the unit of what is stated.
struct Stored {
  double value = kUnknown, low = kUnknown, high = kUnknown;
};
Stored Scaled(const Bound& bound, double scale, double shift = 0) {
  Stored s{bound.value * scale + shift, bound.low * scale + shift, bound.high * scale + shift};
  if (scale < 0) std::swap(s.low, s.high);
  return s;
}

// How far off "about" may be: a point, or a twentieth.
double About(const Quantity& q) {
  return q.unit == Unit::kPercent || q.unit == Unit::kPoints || q.unit == Unit::kNone
             ? std::max(1.0, q.half_step)
             : 0.05 * std::fabs(q.value);
}

// "" or why the quantity is not supported.
std::string Against(const Quantity& q, const Stored& stored) {
  switch (q.relation) {
    case Relation::kEquals:
      if (std::fabs(stored.value - q.value) <= q.half_step + kSlack) return "";
      return "the stored value is another one";
    case Relation::kAbout:
      if (std::fabs(stored.value - q.value) <= About(q)) return "";
      return "the stored value is another one";
    case Relation::kAbove:
      return stored.low > q.value ? "" : "the lower bound is not above it";
    case Relation::kAtLeast:
      return stored.low >= q.value - kSlack ? "" : "the lower bound is below it";
    case Relation::kBelow:
      return stored.high < q.value ? "" : "the upper bound is not below it";
    case Relation::kAtMost:
      return stored.high <= q.value + kSlack ? "" : "the upper bound is above it";
    case Relation::kUpTo:
      return "\"up to\" picks the best of what was seen; say the value and its interval";
  }
  return "it cannot be read";
}

// In percent: a share that is written ".64" is 64.
Quantity InPercent(Quantity q) {
  if (q.unit == Unit::kNone) {
    q.value *= 100;
    q.half_step *= 100;
    q.unit = Unit::kPercent;
  }
  return q;
}

std::string AgainstInterval(const StatedInterval& stated, const Stored& stored) {
  const auto near = [&](double a, double b) {
    return std::fabs(a - b) <= stated.half_step + kSlack;
  };
  if (near(stated.low, stored.low) && near(stated.high, stored.high)) return "";
  return "the stored interval is another one";
}

std::string AgainstP(const Quantity& p, double stored) {
  if (std::isnan(stored)) return "there is no p-value";
  switch (p.relation) {
    case Relation::kBelow:
    case Relation::kAtMost:
      return stored < p.value ? "" : "the p-value that counts is not below it";
    case Relation::kAbove:
    case Relation::kAtLeast:
      return stored > p.value ? "" : "the p-value that counts is not above it";
    default:
      return std::fabs(stored - p.value) <= p.half_step + kSlack
                 ? ""
                 : "the p-value that counts is another one";
  }
}

class Judge {
 public:
  Judge(const Claim& claim, const Facts& facts, Language language)
      : claim_(claim), facts_(facts), language_(language) {}

  Judgement Run() {
    switch (claim_.kind) {
      case ClaimKind::kComparison:
        return OverPairs(&Judge::Comparison);
      case ClaimKind::kEquality:
        return OverPairs(&Judge::Equality);
      case ClaimKind::kNotWorse:
        return OverPairs(&Judge::NotWorse);
      case ClaimKind::kShare:
        return OverPairs(&Judge::Share);
      case ClaimKind::kLevel:
        return claim_.of_baseline ? OverPairs(&Judge::BaselineLevel) : Level();
      case ClaimKind::kRanking:
        return Ranking();
      case ClaimKind::kChance:
        return Chance();
      case ClaimKind::kLossReduction:
        return LossReduction();
      case ClaimKind::kLatency:
        return Latency();
      case ClaimKind::kSize:
        return Size();
      case ClaimKind::kCost:
        return Cost();
      case ClaimKind::kCount:
        return Count();
      case ClaimKind::kGates:
        return Gates();
      case ClaimKind::kDecision:
        return Decision();
      case ClaimKind::kUntraceable:
        return Untraceable();
    }
    return Untraceable();
  }

 private:
  using PairJudge = std::string (Judge::*)(const TaskFact&, const ComparisonFact&);

  Judgement Say(std::string why, std::vector<std::string> instead) const {
    Judgement judgement;
    judgement.supported = why.empty();
    judgement.why = std::move(why);
    judgement.instead = std::move(instead);
    if (judgement.supported) judgement.advice = advice_;
    return judgement;
  }

  // The tasks that it is about. One that names none and states a number is about the primary task;
  // one without a number, about all.
  std::vector<const TaskFact*> Tasks() const {
    std::vector<const TaskFact*> tasks;
    for (const int index : claim_.tasks) tasks.push_back(&facts_.tasks[static_cast<size_t>(index)]);
    if (!tasks.empty()) return tasks;
    const bool number = claim_.quantity.has_value() || claim_.interval.has_value() ||
                        (claim_.p.has_value() && claim_.p->relation == Relation::kEquals);
    for (const TaskFact& task : facts_.tasks) {
      if (claim_.all_tasks || !number || task.primary) tasks.push_back(&task);
    }
    return tasks;
  }

  Judgement OverPairs(PairJudge judge) {
    std::string why;
    std::vector<std::string> instead;
    bool any = false;
    for (const TaskFact* task : Tasks()) {
      for (const ComparisonFact& one : task->comparisons) {
        const std::string& name = one.baseline;
        const bool meant = std::any_of(
            claim_.baselines.begin(), claim_.baselines.end(),
            [&](const int index) { return facts_.baselines[static_cast<size_t>(index)] == name; });
        if (!meant) continue;
        any = true;
        const std::string wrong =
            one.missing.empty() ? (this->*judge)(*task, one) : "there is no result";
        if (!wrong.empty()) {
          if (why.empty()) why = wrong;
          instead.push_back(TrueSentence(*task, one));
        }
      }
    }
    if (!any) return Say("there is no such result", {});
    return Say(why, instead);
  }
  std::string TrueSentence(const TaskFact& task, const ComparisonFact& one) const {
    if (claim_.kind == ClaimKind::kShare) return ShareSentence(task, one, language_);
    if (claim_.kind == ClaimKind::kLevel) return BaselineSentence(task, one, language_);
    return ComparisonSentence(task, one, language_);
  }

  std::string Comparison(const TaskFact&, const ComparisonFact& one) {
    const Bound& d = one.difference;
    if (claim_.f1) return "differences of F1 are not stored, those of accuracy are";
    const bool shown = one.Shown();
    if (claim_.not_shown) return shown ? "a difference was shown" : CheckNumbers(one, 0);
    if (claim_.negated) {
      const bool this_way =
          shown && (claim_.direction == 0 || (d.value > 0) == (claim_.direction > 0));
      return this_way ? "a difference was shown" : CheckNumbers(one, claim_.direction);
    }
    if (!d.judged()) return "the comparison cannot be judged";
    const bool needs_shown = claim_.direction != 0 || claim_.significant;
    if (needs_shown && !shown) {
      return one.p >= kLevel ? "the p-value that counts is not below .05"
                             : "no difference was shown";
    }
    if (claim_.direction != 0 && (d.value > 0) != (claim_.direction > 0)) {
      return "the difference goes the other way";
    }
    return CheckNumbers(one, claim_.direction);
  }

  // The numbers of a comparison, as a gain (+1) or loss (−1), or with their sign (0).
  std::string CheckNumbers(const ComparisonFact& one, int direction) {
    if (claim_.quantity.has_value()) {
      const std::string wrong = CheckMagnitude(one, direction);
      if (!wrong.empty()) return wrong;
    }
    if (claim_.interval.has_value()) {
      const bool relative = claim_.quantity.has_value() && claim_.quantity->unit == Unit::kPercent;
      const Stored plain = relative ? Scaled(one.share, 100, -100) : Scaled(one.difference, 100);
      const Stored mirrored =
          relative ? Scaled(one.share, -100, 100) : Scaled(one.difference, -100);
      const std::string wrong = AgainstInterval(*claim_.interval, plain);
      const bool either = direction < 0 && AgainstInterval(*claim_.interval, mirrored).empty();
      if (!wrong.empty() && !either) return wrong;
    } else if (claim_.quantity.has_value() && claim_.quantity->relation == Relation::kEquals) {
      advice_ = ComparisonSentence(*Tasks().front(), one, language_);
    }
    return claim_.p.has_value() ? AgainstP(*claim_.p, one.p) : "";
  }
  std::string CheckMagnitude(const ComparisonFact& one, int direction) const {
    Quantity q = *claim_.quantity;
    if (q.unit == Unit::kTimes) {
      if (direction < 0) return "it is not clear what is multiplied";
      return one.share.judged() ? Against(q, Scaled(one.share, 1)) : "the ratio cannot be judged";
    }
    if (q.unit == Unit::kPercent) {
      // A percentage of the baseline's score.
      if (!one.share.judged()) return "the ratio cannot be judged";
      const double scale = direction < 0 ? -100 : 100;
      const std::string wrong = Against(q, Scaled(one.share, scale, -scale));
      const bool points = Against(q, Scaled(one.difference, direction < 0 ? -100 : 100)).empty();
      return !wrong.empty() && points ? "these are points, not a percentage of the baseline"
                                      : wrong;
    }
    q = InPercent(q);
    const bool absolute = direction == 0 && q.sign == 0 && one.difference.value < 0;
    return Against(q, Scaled(one.difference, direction < 0 || absolute ? -100 : 100));
  }

  std::string Equality(const TaskFact&, const ComparisonFact& one) {
    const Bound& d = one.difference;
    if (claim_.quantity.has_value() && claim_.quantity->unit == Unit::kPoints && d.judged()) {
      const double margin = claim_.quantity->value;
      const bool within = 100 * d.low > -margin && 100 * d.high < margin;
      return within ? "" : "the interval of the difference reaches beyond that margin";
    }
    return "no result shows that two models are equal, only that no difference was shown";
  }

  std::string NotWorse(const TaskFact&, const ComparisonFact& one) {
    const Bound& d = one.difference;
    if (!d.judged()) return "the comparison cannot be judged";
    const double margin = claim_.quantity.has_value() ? claim_.quantity->value : 0;
    return 100 * d.low > -margin ? "" : "the lower bound of the difference is below that";
  }

  std::string Share(const TaskFact&, const ComparisonFact& one) {
    if (!one.share.judged()) return "the ratio cannot be judged";
    const bool times = claim_.quantity->unit == Unit::kTimes;
    const Stored stored = Scaled(one.share, times ? 1 : 100);
    const std::string wrong = Against(*claim_.quantity, stored);
    if (!wrong.empty() || !claim_.interval.has_value()) return wrong;
    return AgainstInterval(*claim_.interval, stored);
  }

  std::string BaselineLevel(const TaskFact&, const ComparisonFact& one) {
    if (claim_.f1) return "the F1 of a baseline is not stored";
    if (!one.baseline_score.judged()) return "its score cannot be judged";
    return CheckLevel(one.baseline_score);
  }

  std::string CheckLevel(const Bound& bound) const {
    const Quantity q = InPercent(*claim_.quantity);
    const Stored stored = Scaled(bound, 100);
    if (claim_.negated) {
      return stored.high < q.value ? "" : "the upper bound is not below it";
    }
    const std::string wrong = Against(q, stored);
    if (!wrong.empty() || !claim_.interval.has_value()) return wrong;
    return AgainstInterval(*claim_.interval, stored);
  }

  Judgement Level() {
    std::string why;
    std::vector<std::string> instead;
    for (const TaskFact* task : Tasks()) {
      const Bound& bound = claim_.f1 ? task->f1 : task->score;
      std::string wrong = "it cannot be judged";
      if (bound.judged()) wrong = claim_.every_seed ? CheckSeeds(*task) : CheckLevel(bound);
      if (!wrong.empty()) {
        if (why.empty()) why = wrong;
        instead.push_back(LevelSentence(*task, claim_.f1, language_));
      } else if (!claim_.interval.has_value() && claim_.quantity->relation == Relation::kEquals) {
        advice_ = LevelSentence(*task, claim_.f1, language_);
      }
    }
    return Say(why, instead);
  }
  std::string CheckSeeds(const TaskFact& task) const {
    const Quantity q = InPercent(*claim_.quantity);
    if (claim_.f1 || q.relation == Relation::kEquals || q.relation == Relation::kAbout) {
      return "the seeds do not all have that score";
    }
    for (const double score : task.seed_scores) {
      const double seed = 100 * score;
      if (!Against(q, {seed, seed, seed}).empty()) return "a seed does not";
    }
    return task.seed_scores.empty() ? "the scores of the seeds are not stored" : "";
  }

  Judgement Ranking() {
    if (claim_.of_baseline) return Say("only comparisons with the trained model are stored", {});
    if (claim_.f1) return Say("differences of F1 are not stored, those of accuracy are", {});
    std::vector<std::string> instead;
    for (const TaskFact* task : Tasks()) {
      for (const ComparisonFact& one : task->comparisons) {
        if (one.Shown() && (one.difference.value > 0) == (claim_.direction > 0)) continue;
        instead.push_back(ComparisonSentence(*task, one, language_));
      }
    }
    const bool first = instead.empty() && !facts_.baselines.empty();
    if (claim_.quantity.has_value()) return Say("it is not clear what the number says", instead);
    if (claim_.negated) return Say(first ? "it is" : "", {});
    return Say(first ? "" : "not every comparison shows it", instead);
  }

  Judgement Chance() {
    std::string why;
    std::vector<std::string> instead;
    for (const TaskFact* task : Tasks()) {
      const Bound* bound = &task->score;
      for (const ComparisonFact& one : task->comparisons) {
        if (claim_.of_baseline &&
            one.baseline == facts_.baselines[static_cast<size_t>(claim_.baselines[0])]) {
          bound = &one.baseline_score;
        }
      }
      const std::string wrong = CheckChance(*task, *bound);
      if (wrong.empty()) continue;
      if (why.empty()) why = wrong;
      instead.push_back(ChanceSentence(*task, language_));
    }
    return Say(why, instead);
  }
  std::string CheckChance(const TaskFact& task, const Bound& bound) const {
    if (std::isnan(task.chance)) return "chance is not known";
    const double chance = 100 * task.chance;
    if (claim_.quantity.has_value()) {
      return Against(InPercent(*claim_.quantity), {chance, chance, chance});
    }
    if (!bound.judged()) return "it cannot be judged";
    const bool above = bound.low > task.chance, below = bound.high < task.chance;
    if (claim_.direction == 0) return above || below ? "it can be told apart from chance" : "";
    const bool holds = claim_.direction > 0 ? above : below;
    if (claim_.negated) return holds ? "it is" : "";
    return holds ? "" : "the bound does not exclude chance";
  }

  Judgement LossReduction() {
    const Bound& bound =
        claim_.from_guessing ? facts_.loss_from_guessing : facts_.loss_before_training;
    const std::vector<std::string> instead = {
        LossSentence(facts_, claim_.from_guessing, language_)};
    if (!bound.judged()) return Say("it was not measured or cannot be judged", instead);
    if (claim_.negated) return Say(bound.low > 0 ? "it fell" : "", instead);
    if (!claim_.quantity.has_value()) {
      return Say(bound.low > 0 ? "" : "the lower bound is not above 0", instead);
    }
    std::string wrong = Against(*claim_.quantity, Scaled(bound, 100));
    if (wrong.empty() && claim_.interval.has_value()) {
      wrong = AgainstInterval(*claim_.interval, Scaled(bound, 100));
    }
    return Say(wrong, instead);
  }

  Judgement Latency() {
    if (facts_.latency.empty()) return Say("no latency was measured", {});
    const LatencyFact* one = &facts_.latency.front();
    const std::vector<std::string> instead = {LatencySentence(*one, language_)};
    if (claim_.of_baseline) return Say("it is not clear whose latency that is", instead);
    const Quantity& q = *claim_.quantity;
    if (q.relation != Relation::kEquals && q.relation != Relation::kAbout) {
      // Nothing but the 95th percentile has a bound.
      return Say(Against(q, {one->p95, kUnknown, one->p95_bound}), instead);
    }
    const double known[] = {claim_.median ? one->p50 : one->p95_bound,
                            claim_.median ? one->p50 : one->p95};
    for (const double value : known) {
      if (Against(q, {value, value, value}).empty()) return Say("", {});
    }
    return Say("the stored value is another one", instead);
  }

  Judgement Size() {
    const double bytes = claim_.peak ? facts_.peak_bytes : facts_.model_bytes;
    const std::vector<std::string> instead = {SizeSentence(facts_, claim_.peak, language_)};
    if (std::isnan(bytes)) return Say("it was not measured", instead);
    return Say(Against(*claim_.quantity, {bytes, bytes, bytes}), instead);
  }

  Judgement Cost() {
    const double amount = claim_.budget ? facts_.budget : claim_.saved ? facts_.saved : facts_.cost;
    const std::vector<std::string> instead = {CostSentence(facts_, language_)};
    if (std::isnan(amount)) return Say("it was not recorded", instead);
    return Say(Against(*claim_.quantity, {amount, amount, amount}), instead);
  }

  Judgement Count() {
    const std::vector<std::string> instead = {CountSentence(facts_, language_)};
    const int all = claim_.runs ? facts_.runs : facts_.seeds;
    int count = claim_.runs ? facts_.runs_aborted : facts_.seeds_aborted;
    if (claim_.counted != Counted::kAborted) {
      if (claim_.runs) return Say("it is counted for seeds alone", instead);
      if (claim_.counted == Counted::kConverged && !facts_.converged) {
        return Say("it is not known", instead);
      }
      count = claim_.counted == Counted::kConverged ? *facts_.converged : facts_.finished;
    }
    if (claim_.negated) count = all - count;
    if (claim_.of.has_value() && *claim_.of != all) return Say("there are not so many", instead);
    const double value = count;
    return Say(Against(*claim_.quantity, {value, value, value}), instead);
  }

  Judgement Gates() {
    const std::vector<std::string> instead = {GatesSentence(facts_, language_)};
    int met = 0, asked = 0;
    for (const GateFact& gate : facts_.gates) {
      if (!claim_.gate.empty() && gate.name != claim_.gate) continue;
      ++asked;
      met += gate.result == "met" ? 1 : 0;
    }
    if (asked == 0) return Say("there is no such gate", instead);
    if (claim_.met) return Say(met == asked ? "" : "not every gate is met", instead);
    return Say(met < asked ? "" : "it is met", instead);
  }

  Judgement Decision() {
    if (facts_.decision.empty()) return Say("there is no decision", {});
    if ((facts_.decision == "go") == claim_.go) return Say("", {});
    return Say("the decision is another one", {GatesSentence(facts_, language_)});
  }

  Judgement Untraceable() {
    std::vector<std::string> instead;
    for (const TaskFact* task : Tasks()) {
      if (task->primary || !claim_.tasks.empty()) {
        instead.push_back(LevelSentence(*task, false, language_));
      }
    }
    return Say(claim_.why.empty() ? "no stored result says so" : claim_.why, instead);
  }

  const Claim& claim_;
  const Facts& facts_;
  Language language_;
  std::string advice_;
};

}  // namespace

Judgement JudgeClaim(const Claim& claim, const Facts& facts, Language language) {
  return Judge(claim, facts, language).Run();
}

}  // namespace scm::claims
