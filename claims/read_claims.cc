#include "claims/read_claims.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>

#include "claims/compared.h"
#include "claims/read_counts.h"

namespace scm::claims {
namespace {

class ClaimReader {
 public:
  ClaimReader(const Clause& clause, const Facts& facts, ReadingContext* context)
      : clause_(clause), facts_(facts), context_(*context), used_(clause.numbers().size(), false) {}

  std::vector<Claim> Read() {
    SetTasks();
    if (ReadUnstored()) return Done();
    for (Claim& one : ReadCounts(clause_, facts_)) claims_.push_back(std::move(one));
    if (!claims_.empty() && clause_.numbers().empty()) return Done();
    ReadQuantities();
    ReadLossReduction();
    if (!ReadNotShown()) {
      ReadShares();
      ReadComparison();
      ReadChance();
      ReadRanking();
    }
    ReadLevels();
    ReadSignificance();
    ReadRest();
    return Done();
  }

 private:
  bool Has(Cue cue) const { return clause_.Has(cue); }
  const std::vector<ClauseNumber>& numbers() const { return clause_.numbers(); }
  bool AboutResults() const {
    return clause_.Mentions(Mentioned::kModel) || clause_.Mentions(Mentioned::kBaseline) ||
           clause_.Mentions(Mentioned::kAllBaselines) || Has(Cue::kAccuracy) || Has(Cue::kF1) ||
           !clause_.Tasks().empty() || clause_.Mentions(Mentioned::kAllTasks);
  }

  void SetTasks() {
    if (!clause_.Tasks().empty() || clause_.Mentions(Mentioned::kAllTasks)) {
      context_.tasks = clause_.Tasks();
      context_.all_tasks = clause_.Mentions(Mentioned::kAllTasks);
    }
  }
  Claim NewClaim(ClaimKind kind) const {
    Claim claim;
    claim.kind = kind;
    claim.tasks = context_.tasks;
    claim.all_tasks = context_.all_tasks;
    claim.f1 = Has(Cue::kF1);
    claim.significant = Has(Cue::kSignificant);
    claim.p = clause_.p();
    return claim;
  }
  void Untraceable(std::string why) {
    Claim claim = NewClaim(ClaimKind::kUntraceable);
    claim.why = std::move(why);
    claims_.push_back(std::move(claim));
  }
  std::vector<Claim> Done() {
    if (clause_.interval().has_value()) GiveInterval();
    return std::move(claims_);
  }

  // To the claim whose number stands in front of it, else to the first that can have one.
  void GiveInterval() {
    const ClauseInterval& interval = *clause_.interval();
    Claim* owner = nullptr;
    for (Claim& claim : claims_) {
      const bool fits = claim.kind == ClaimKind::kComparison || claim.kind == ClaimKind::kLevel ||
                        claim.kind == ClaimKind::kShare || claim.kind == ClaimKind::kLossReduction;
      if (!fits) continue;
      const bool nearer = claim.at < interval.at && (owner == nullptr || claim.at > owner->at);
      if (owner == nullptr || nearer) owner = &claim;
    }
    if (owner == nullptr) return;
    const double scale = interval.unit == Unit::kNone && SmallNumbers() ? 100 : 1;
    owner->interval =
        StatedInterval{interval.low * scale, interval.high * scale, interval.half_step * scale};
  }
  // "[.57, .71]" is in shares, "(57–71)" in percent.
  bool SmallNumbers() const {
    return std::fabs(clause_.interval()->low) <= 1 && std::fabs(clause_.interval()->high) <= 1;
  }

  // "state of the art", "the best seed", "in Chile".
  bool ReadUnstored() {
    const bool results = AboutResults() || !numbers().empty() || Has(Cue::kGain) || Has(Cue::kLoss);
    if (!results || Has(Cue::kSelection)) return false;
    if (Has(Cue::kUnstored) && !(Has(Cue::kLatency) && !Has(Cue::kGain))) {
      Untraceable("no stored result is about that");
    } else if (Has(Cue::kBestOf)) {
      Untraceable("the best of the seeds says what luck gave; results are over all seeds");
    } else if (SubgroupAlone()) {
      Untraceable("no stored interval is for a part of the items");
    } else if (Has(Cue::kHalf) && !Has(Cue::kLossMetric)) {
      Untraceable("it is not clear what half is meant");
    } else if (Has(Cue::kTrainingLoss)) {
      Untraceable("the training loss has no interval; the loss reduction on the test set has one");
    }
    return !claims_.empty();
  }
  // All four jurisdictions together are the whole.
  bool SubgroupAlone() const {
    if (!Has(Cue::kSubgroup)) return false;
    if (!(Has(Cue::kGain) || Has(Cue::kLoss) || Has(Cue::kAccuracy) || Has(Cue::kEqual) ||
          !numbers().empty())) {
      return false;
    }
    int parts = 0;
    for (const CueHit& hit : clause_.cues()) parts += hit.cue == Cue::kSubgroup ? 1 : 0;
    return parts < 3;
  }

  void ReadQuantities() {
    for (size_t i = 0; i < numbers().size(); ++i) {
      const Quantity& q = numbers()[i].quantity;
      Claim claim = NewClaim(ClaimKind::kLatency);
      claim.quantity = q;
      if (q.unit == Unit::kMilliseconds && (Has(Cue::kLatency) || AboutResults())) {
        claim.median = Has(Cue::kMedian);
        claim.of_baseline = clause_.Mentions(Mentioned::kBaseline);
      } else if (q.unit == Unit::kBytes) {
        claim.kind = ClaimKind::kSize;
        claim.peak = Has(Cue::kPeak);
      } else if (q.unit == Unit::kMoney) {
        claim.kind = ClaimKind::kCost;
        claim.budget = clause_.Before(Cue::kBudget, numbers()[i].at, 3) ||
                       clause_.After(Cue::kBudget, numbers()[i].at, 2);
        claim.saved = Has(Cue::kSaved);
      } else {
        continue;
      }
      used_[i] = true;
      claims_.push_back(std::move(claim));
    }
  }

  void ReadLossReduction() {
    if (!Has(Cue::kLossMetric) || Has(Cue::kAccuracy)) return;
    const bool falls = Has(Cue::kFall) || Has(Cue::kHalf) || Has(Cue::kLoss) || Has(Cue::kGain);
    if (!falls) return;
    Claim claim = NewClaim(ClaimKind::kLossReduction);
    claim.from_guessing = Has(Cue::kFromGuessing);
    for (size_t i = 0; i < numbers().size(); ++i) {
      if (used_[i]) continue;
      if (numbers()[i].quantity.unit != Unit::kPercent) {
        return Untraceable("losses are not stored with an interval, their reduction is");
      }
      claim.quantity = numbers()[i].quantity;
      claim.at = numbers()[i].at;
      used_[i] = true;
      break;
    }
    if (!claim.quantity && Has(Cue::kHalf)) {
      claim.quantity = Quantity{50, 0.5, Unit::kPercent, 0, Relation::kAtLeast};
    }
    const CueHit* fall = clause_.First(Cue::kFall);
    claim.negated = fall != nullptr && clause_.Negated(*fall);
    claims_.push_back(std::move(claim));
    loss_ = true;
  }

  bool ReadNotShown() {
    const CueHit* not_shown = clause_.First(Cue::kNotShown);
    if (not_shown == nullptr) return false;
    Claim claim = NewClaim(ClaimKind::kComparison);
    claim.not_shown = true;
    claim.significant = false;
    claim.baselines = ComparedWith(clause_, facts_, not_shown->begin).baselines;
    if (claim.baselines.empty()) claim.baselines = context_.baselines;
    TakeMagnitude(&claim);
    return Compare(std::move(claim));
  }

  // Notes what is compared and keeps the claim; without anything compared it cannot be traced.
  bool Compare(Claim claim) {
    if (claim.baselines.empty()) {
      Untraceable("it does not say what is compared with");
      return true;
    }
    context_.baselines = claim.baselines;
    context_.direction = claim.direction;
    claims_.push_back(std::move(claim));
    compared_ = true;
    return true;
  }

  // "78 % of GPT-3.5's accuracy".
  void ReadShares() {
    for (size_t i = 0; i < numbers().size(); ++i) {
      const Unit unit = numbers()[i].quantity.unit;
      if (used_[i] || (unit != Unit::kPercent && unit != Unit::kTimes)) continue;
      const std::optional<int> baseline = ShareOf(clause_, numbers()[i]);
      if (!baseline) continue;
      Claim claim = NewClaim(ClaimKind::kShare);
      claim.baselines = {*baseline};
      claim.quantity = numbers()[i].quantity;
      claim.at = numbers()[i].at;
      used_[i] = true;
      claims_.push_back(std::move(claim));
      shares_ = true;
    }
  }

  // The cue that gives a comparison its direction: not one that only says how a number is meant.
  const CueHit* Direction(Cue cue) const {
    const CueHit* hit = clause_.First(cue);
    if (hit == nullptr) return nullptr;
    for (const ClauseNumber& number : numbers()) {
      if (number.begin <= hit->begin && hit->begin < number.at &&
          number.quantity.unit != Unit::kPoints && number.quantity.unit != Unit::kTimes) {
        return SecondDirection(cue, *hit);
      }
    }
    return hit;
  }
  const CueHit* SecondDirection(Cue cue, const CueHit& first) const {
    for (const CueHit& hit : clause_.cues()) {
      if (hit.cue != cue || hit.begin <= first.end) continue;
      const bool of_number =
          std::any_of(numbers().begin(), numbers().end(), [&](const ClauseNumber& number) {
            return number.begin <= hit.begin && hit.begin < number.at;
          });
      if (of_number) continue;
      return &hit;
    }
    return nullptr;
  }

  void ReadComparison() {
    if (loss_) return;
    const CueHit* passive = clause_.First(Cue::kGainPassive);
    const CueHit *gain = Direction(Cue::kGain), *loss = Direction(Cue::kLoss);
    const CueHit *equal = clause_.First(Cue::kEqual), *not_worse = clause_.First(Cue::kNotWorse);
    const CueHit* difference = clause_.First(Cue::kDifference);
    const CueHit* hit = not_worse;
    Claim claim = NewClaim(ClaimKind::kNotWorse);
    if (hit == nullptr && equal != nullptr) {
      hit = equal;
      claim.kind = ClaimKind::kEquality;
    }
    if (hit == nullptr) {
      claim.kind = ClaimKind::kComparison;
      hit = passive != nullptr ? passive : gain != nullptr ? gain : loss;
      claim.direction = passive != nullptr ? -1 : gain != nullptr ? 1 : -1;
      // "gains … where the base loses" is more than one comparison.
      if (passive == nullptr && gain != nullptr && loss != nullptr && loss->begin < gain->begin) {
        hit = loss;
        claim.direction = -1;
      }
    }
    if (hit == nullptr && difference != nullptr) {
      hit = difference;
      claim.direction = 0;
    }
    if (hit == nullptr || Has(Cue::kSuperlative) || shares_) return;
    if (!Comparable(*hit)) return;
    const Compared compared = ComparedWith(clause_, facts_, hit->begin);
    if (compared.between_baselines) {
      return Untraceable("results between two baselines are not stored");
    }
    claim.baselines = compared.baselines;
    if (compared.reversed) claim.direction = -claim.direction;
    claim.negated = claim.kind == ClaimKind::kComparison && clause_.Negated(*hit);
    // "Never below the base model" is more than that no loss was shown.
    if (claim.negated && claim.direction < 0) {
      claim.kind = ClaimKind::kNotWorse;
      claim.negated = false;
    }
    TakeMagnitudes(std::move(claim));
  }

  // Whether the cue is about scores, not about a tokenizer or a paragraph. Chance has a claim of
  // its own, and so has a mere threshold ("accuracy exceeds 60 %").
  bool Comparable(const CueHit& hit) const {
    if (Has(Cue::kChance) && !clause_.Mentions(Mentioned::kBaseline)) return false;
    if (Has(Cue::kLatency) || Has(Cue::kMemory)) {
      if (!Has(Cue::kAccuracy) && !clause_.Mentions(Mentioned::kBaseline)) return false;
    }
    const bool magnitude =
        std::any_of(numbers().begin(), numbers().end(), [](const ClauseNumber& number) {
          return number.quantity.unit == Unit::kPoints || number.quantity.unit == Unit::kTimes;
        });
    return magnitude || clause_.Mentions(Mentioned::kBaseline) ||
           clause_.Mentions(Mentioned::kAllBaselines) || Has(Cue::kAccuracy) || Has(Cue::kF1) ||
           !clause_.Tasks().empty() || clause_.Mentions(Mentioned::kAllTasks) ||
           (clause_.Mentions(Mentioned::kModel) && Has(Cue::kSignificant)) ||
           (clause_.Mentions(Mentioned::kModel) && hit.end < clause_.words().size() &&
            (clause_.words()[hit.end].text == "than" || clause_.words()[hit.end].text == "que"));
  }

  // Whether word `at` is part of such a hit.
  bool Touches(Cue cue, size_t at) const {
    for (const CueHit& hit : clause_.cues()) {
      if (hit.cue == cue && hit.begin <= at && at < hit.end) return true;
    }
    return false;
  }
  bool IsWord(size_t at, std::initializer_list<const char*> list) const {
    const std::string& text = clause_.words()[at].text;
    return std::any_of(list.begin(), list.end(), [&](const char* one) { return text == one; });
  }
  // Whether a number says by how much, not how good something is.
  bool IsMagnitude(const ClauseNumber& number, const Claim& claim) const {
    const Unit unit = number.quantity.unit;
    if (unit == Unit::kPoints || unit == Unit::kTimes) return true;
    if (claim.kind != ClaimKind::kComparison) return false;
    const size_t behind = number.at + 1;
    if (behind < clause_.words().size() &&
        (Touches(Cue::kGain, behind) || Touches(Cue::kLoss, behind))) {
      return true;  // "22.2 % lower"
    }
    if (claim.direction != 0 && clause_.Before(Cue::kBy, number.begin) &&
        !IsWord(number.begin - 1, {"of", "un"})) {
      return true;  // "by 17 %"
    }
    // "an improvement of 36 %", "mejora un 36 %", "Δ = .169".
    size_t at = number.begin;
    for (int i = 0; i < 4 && at > 0; ++i) {
      --at;
      if (Touches(Cue::kGain, at) || Touches(Cue::kLoss, at) || Touches(Cue::kDifference, at)) {
        return true;
      }
      if (!IsWord(at, {"a", "an", "the", "un", "una", "el", "la", "of", "de", "del", "is", "es",
                       "was", "fue", "=", "relative", "relativa", "relativo"})) {
        break;
      }
    }
    return Nominal(claim);
  }
  // "The relative improvement over the base model is 36 %": the gain itself is what is spoken of.
  bool Nominal(const Claim& claim) const {
    size_t end = 0;
    for (const CueHit& hit : clause_.cues()) {
      if (hit.cue != Cue::kReach || IsWord(hit.begin, {"of", "de", "del", "with"})) continue;
      end = hit.begin;
      break;
    }
    for (size_t at = 0; at < end; ++at) {
      if (IsWord(at, {"improvement", "gain", "mejora", "ganancia", "advantage", "ventaja", "lead",
                      "deficit", "difference", "diferencia"})) {
        return claim.direction != 0 || IsWord(at, {"difference", "diferencia"});
      }
    }
    return false;
  }
  void TakeMagnitude(Claim* claim) {
    for (size_t i = 0; i < numbers().size(); ++i) {
      if (used_[i] || !IsMagnitude(numbers()[i], *claim)) continue;
      claim->quantity = numbers()[i].quantity;
      claim->at = numbers()[i].at;
      used_[i] = true;
      return;
    }
  }
  // One comparison for each number, where there are several baselines or tasks for them.
  void TakeMagnitudes(Claim claim) {
    std::vector<Claim> all;
    Claim one = claim;
    for (size_t i = 0; i < numbers().size(); ++i) {
      if (used_[i] || !IsMagnitude(numbers()[i], claim)) continue;
      one.quantity = numbers()[i].quantity;
      one.at = numbers()[i].at;
      used_[i] = true;
      all.push_back(one);
    }
    if (claim.baselines.empty() && AnythingToCompare(all)) claim.baselines = DefaultBaselines();
    if (all.size() < 2) {
      if (!all.empty()) {
        claim.quantity = all.front().quantity;
        claim.at = all.front().at;
      }
      Compare(std::move(claim));
      return;
    }
    const bool by_baseline = claim.baselines.size() == all.size();
    const bool by_task = !by_baseline && claim.tasks.size() == all.size();
    if (!by_baseline && !by_task) {
      return Untraceable("it is not clear which number belongs to which comparison");
    }
    const std::vector<int> baselines = claim.baselines, tasks = claim.tasks;
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].baselines = by_baseline ? std::vector<int>{baselines[i]} : baselines;
      if (by_task) all[i].tasks = {tasks[i]};
      Compare(std::move(all[i]));
    }
    context_.baselines = baselines;
  }
  bool AnythingToCompare(const std::vector<Claim>& magnitudes) const {
    return !magnitudes.empty() || Has(Cue::kAccuracy) || !context_.baselines.empty();
  }
  // "Improves accuracy by 15 points": on what it was trained from, or what was spoken of.
  std::vector<int> DefaultBaselines() const {
    if (!context_.baselines.empty()) return context_.baselines;
    if (facts_.base >= 0) return {facts_.base};
    return {};
  }

  void ReadChance() {
    const CueHit* chance = clause_.First(Cue::kChance);
    if (chance == nullptr || loss_ || Has(Cue::kFromGuessing)) return;
    const CueHit* gain = clause_.First(Cue::kGain);
    const CueHit* loss = clause_.First(Cue::kLoss);
    const CueHit* above = clause_.First(Cue::kAbove);
    if (gain == nullptr && loss == nullptr && above == nullptr && !Has(Cue::kEqual)) return;
    Claim claim = NewClaim(ClaimKind::kChance);
    const CueHit* hit = gain != nullptr ? gain : above != nullptr ? above : loss;
    claim.direction = hit == nullptr ? 0 : hit == loss ? -1 : 1;
    claim.negated = hit != nullptr && clause_.Negated(*hit);
    claim.of_baseline =
        SubjectIsBaseline(clause_, hit == nullptr ? chance->begin : hit->begin, &claim.baselines);
    claims_.push_back(std::move(claim));
    chance_ = true;
  }

  void ReadRanking() {
    const CueHit* best = clause_.First(Cue::kSuperlative);
    if (best == nullptr || Has(Cue::kSelection) || !(AboutResults() || Has(Cue::kResults))) return;
    Claim claim = NewClaim(ClaimKind::kRanking);
    claim.negated = clause_.Negated(*best);
    const std::string& word = clause_.words()[best->begin].text;
    claim.direction = word == "lowest" || word == "worst" || word == "weakest" ? -1 : 1;
    claim.of_baseline = SubjectIsBaseline(clause_, best->begin, &claim.baselines);
    claims_.push_back(std::move(claim));
  }

  // Numbers that are scores.
  void ReadLevels() {
    std::vector<size_t> levels, of_model;
    for (size_t i = 0; i < numbers().size(); ++i) {
      const Unit unit = numbers()[i].quantity.unit;
      if (!used_[i] && (unit == Unit::kPercent || unit == Unit::kNone)) levels.push_back(i);
    }
    if (levels.empty() || !AboutScores()) return;
    const std::vector<int> owners = OwnersInOrder(levels);
    if (owners.empty() && Has(Cue::kRespectively) && levels.size() != clause_.Tasks().size()) {
      for (const size_t i : levels) used_[i] = true;
      return Untraceable("it is not clear which number belongs to whom");
    }
    for (size_t k = 0; k < levels.size(); ++k) {
      ReadLevel(levels[k], owners.empty() ? nullptr : &owners[k], &of_model);
    }
    // "64 % on one task and 71 % on the other".
    const std::vector<int> tasks = clause_.Tasks();
    if (of_model.size() < 2 || tasks.size() < 2) return;
    for (size_t i = 0; i < of_model.size(); ++i) {
      if (of_model.size() == tasks.size()) claims_[of_model[i]].tasks = {tasks[i]};
    }
  }
  // "47 %, 64 % and 82 % for A, B and C": as many names as numbers, either one list behind the
  // other. A baseline's index, or −1 for the trained model; empty where there are no such lists.
  std::vector<int> OwnersInOrder(const std::vector<size_t>& levels) const {
    std::vector<int> owners;
    size_t before = 0, behind = 0;
    for (const Mention& one : clause_.mentions()) {
      if (one.what != Mentioned::kModel && one.what != Mentioned::kBaseline) continue;
      const int owner = one.what == Mentioned::kModel ? -1 : one.index;
      if (!owners.empty() && owners.back() == owner) continue;
      owners.push_back(owner);
      before += one.begin < numbers()[levels.front()].at ? 1 : 0;
      behind += one.begin > numbers()[levels.back()].at ? 1 : 0;
    }
    const bool lists = before == owners.size() || behind == owners.size();
    const bool listed = Has(Cue::kRespectively) || (lists && IsList(levels) && !compared_);
    if (levels.size() < 2 || !listed || owners.size() != levels.size()) return {};
    return owners;
  }
  bool IsList(const std::vector<size_t>& levels) const {
    for (size_t k = 1; k < levels.size(); ++k) {
      for (size_t at = numbers()[levels[k - 1]].at + 1; at < numbers()[levels[k]].at; ++at) {
        if (!IsWord(at, {",", "and", "y", "e", "un", "del"})) return false;
      }
    }
    return true;
  }
  void ReadLevel(size_t i, const int* listed, std::vector<size_t>* of_model) {
    Claim claim = NewClaim(ClaimKind::kLevel);
    claim.quantity = numbers()[i].quantity;
    claim.at = numbers()[i].at;
    claim.f1 = IsF1(numbers()[i].at);
    claim.every_seed = Has(Cue::kSeeds) && Has(Cue::kEvery);
    LevelOwner owner = OwnerOf(clause_, facts_, context_.baselines, numbers(), i);
    if (listed != nullptr) {
      owner = LevelOwner();
      owner.baseline = *listed;
    }
    used_[i] = true;
    const bool bound = claim.quantity->relation != Relation::kEquals;
    if (owner.unknown || (compared_ && bound && !Has(Cue::kAccuracy) && !Has(Cue::kF1))) {
      return Untraceable("it is not clear whose score that is");
    }
    if (owner.chance) {
      claim.kind = ClaimKind::kChance;
    } else if (owner.baseline >= 0) {
      claim.of_baseline = true;
      claim.baselines = {owner.baseline};
    } else {
      of_model->push_back(claims_.size());
    }
    const CueHit* reach = clause_.First(Cue::kReach);
    claim.negated =
        reach != nullptr && reach->begin < numbers()[i].at && clause_.Negated(*reach) && !compared_;
    claims_.push_back(std::move(claim));
  }
  // "An accuracy of 64 % and a macro F1 of 61 %": the nearest measure in front counts, else the
  // one behind.
  bool IsF1(size_t at) const {
    bool f1 = Has(Cue::kF1);
    if (!f1 || !Has(Cue::kAccuracy)) return f1;
    for (const CueHit& hit : clause_.cues()) {
      if (hit.begin > at) break;
      if (hit.cue == Cue::kF1) f1 = true;
      if (hit.cue == Cue::kAccuracy) f1 = false;
    }
    return f1;
  }
  bool AboutScores() const {
    return Has(Cue::kAccuracy) || Has(Cue::kF1) || compared_ || chance_ ||
           ((clause_.Mentions(Mentioned::kModel) || clause_.Mentions(Mentioned::kBaseline) ||
             !clause_.Tasks().empty()) &&
            Has(Cue::kReach));
  }

  // "The difference is significant (p = .01)": of what was spoken of.
  void ReadSignificance() {
    const CueHit* significant = clause_.First(Cue::kSignificant);
    if (significant == nullptr && !clause_.p()) return;
    if (significant != nullptr && clause_.After(Cue::kSetup, significant->begin, 1)) return;
    const bool carried = std::any_of(claims_.begin(), claims_.end(), [](const Claim& claim) {
      return claim.kind == ClaimKind::kComparison || claim.kind == ClaimKind::kEquality ||
             claim.kind == ClaimKind::kUntraceable;
    });
    if (carried) return;
    if (clause_.p() && significant == nullptr && !AboutResults() && !Has(Cue::kDifference)) return;
    Claim claim = NewClaim(ClaimKind::kComparison);
    claim.significant = true;
    claim.direction = context_.direction;
    claim.negated = significant != nullptr && clause_.Negated(*significant);
    claim.baselines = ComparedWith(clause_, facts_, 0).baselines;
    if (claim.baselines.empty()) claim.baselines = DefaultBaselines();
    Compare(std::move(claim));
  }

  // What is left over and still states something.
  void ReadRest() {
    const bool left = std::find(used_.begin(), used_.end(), false) != used_.end();
    if (left && (AboutResults() || Has(Cue::kGain) || Has(Cue::kLoss))) {
      return Untraceable("no stored result has such a number");
    }
    if (!claims_.empty()) return;
    if (Has(Cue::kVague) && (AboutResults() || Has(Cue::kResults))) {
      return Untraceable("no stored result says so");
    }
    // Models that something is said of in words that are not known here.
    const bool models = NamesModel() && clause_.Mentions(Mentioned::kBaseline);
    const bool won = NamesModel() && (Has(Cue::kGain) || Has(Cue::kLoss)) && !Has(Cue::kSetup);
    if ((models || won) && !Has(Cue::kMethod) && Says()) {
      return Untraceable("it cannot be read what it says of the models");
    }
  }

  // "Our model", not "we" or "it".
  bool NamesModel() const {
    return std::any_of(clause_.mentions().begin(), clause_.mentions().end(),
                       [this](const Mention& one) {
                         return one.what == Mentioned::kModel &&
                                !IsWord(one.begin, {"we", "it", "our", "ours", "lora", "scm"});
                       }) ||
           (clause_.Mentions(Mentioned::kModel) && Has(Cue::kResults));
  }
  // Not all of it is asked or planned.
  bool Says() const {
    return std::any_of(
        clause_.mentions().begin(), clause_.mentions().end(), [this](const Mention& one) {
          return !clause_.Asked(one.begin) && !IsWord(one.begin, {"we", "our", "it"});
        });
  }

  const Clause& clause_;
  const Facts& facts_;
  ReadingContext& context_;
  std::vector<Claim> claims_;
  std::vector<bool> used_;  // numbers
  bool loss_ = false, shares_ = false, compared_ = false, chance_ = false;
};

}  // namespace

std::vector<Claim> ReadClaims(const Clause& clause, const Facts& facts, ReadingContext* context) {
  return ClaimReader(clause, facts, context).Read();
}

}  // namespace scm::claims
