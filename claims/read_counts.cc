#include "claims/read_counts.h"

#include <cmath>
#include <optional>
#include <utility>

namespace scm::claims {
namespace {

struct CountedWord {
  Cue cue;
  Counted counted;
};
constexpr CountedWord kCounted[] = {{Cue::kAborted, Counted::kAborted},
                                    {Cue::kConverged, Counted::kConverged},
                                    {Cue::kFinished, Counted::kFinished}};

// Whole numbers of the clause without a unit, in order.
std::vector<int> WholeNumbers(const Clause& clause) {
  std::vector<int> numbers;
  for (const Word& word : clause.words()) {
    if (word.kind == Word::Kind::kNumber && word.unit == Unit::kNone && word.half_step >= 0.5) {
      numbers.push_back(static_cast<int>(word.value));
    }
  }
  return numbers;
}

std::optional<Claim> ReadRuns(const Clause& clause, const Facts& facts) {
  const bool seeds = clause.Has(Cue::kSeeds), runs = clause.Has(Cue::kRuns);
  if (!seeds && !runs) return std::nullopt;
  for (const CountedWord& one : kCounted) {
    const CueHit* hit = clause.First(one.cue);
    if (hit == nullptr) continue;
    Claim claim;
    claim.kind = ClaimKind::kCount;
    claim.counted = one.counted;
    claim.runs = !seeds;
    claim.negated = clause.Negated(*hit);
    const std::vector<int> numbers = WholeNumbers(clause);
    const bool none = clause.Negated(*hit) && numbers.empty();
    if (numbers.size() >= 2) claim.of = numbers[1];
    if (!numbers.empty()) {
      claim.quantity = Quantity{static_cast<double>(numbers[0]), 0.5, Unit::kNone, 0,
                                clause.Has(Cue::kAtLeast) ? Relation::kAtLeast : Relation::kEquals};
    } else if (none) {
      claim.quantity = Quantity{0, 0.5, Unit::kNone, 0, Relation::kEquals};
      claim.negated = false;
    } else if (clause.Has(Cue::kEvery)) {
      claim.quantity = Quantity{static_cast<double>(claim.runs ? facts.runs : facts.seeds), 0.5,
                                Unit::kNone, 0, Relation::kEquals};
    } else {
      continue;
    }
    return claim;
  }
  return std::nullopt;
}

std::string GateOf(const Clause& clause) {
  if (clause.Has(Cue::kLatency)) return "latency_ms_p95";
  if (clause.Has(Cue::kLossMetric)) return "loss_reduction";
  if (clause.Has(Cue::kAccuracy)) return "accuracy";
  if (clause.Has(Cue::kSignificant)) return "p_value";
  return "";
}

std::optional<Claim> ReadGates(const Clause& clause) {
  Claim claim;
  const CueHit* go = clause.First(Cue::kGo);
  if (clause.Has(Cue::kNoGo) || go != nullptr) {
    claim.kind = ClaimKind::kDecision;
    claim.go = !clause.Has(Cue::kNoGo) && !clause.Negated(*go);
    return claim;
  }
  if (!clause.Has(Cue::kGate)) return std::nullopt;
  const CueHit *met = clause.First(Cue::kMet), *unmet = clause.First(Cue::kUnmet);
  if (met == nullptr && unmet == nullptr) return std::nullopt;
  claim.kind = ClaimKind::kGates;
  claim.gate = GateOf(clause);
  claim.met = unmet == nullptr && !clause.Negated(*met);
  return claim;
}

}  // namespace

std::vector<Claim> ReadCounts(const Clause& clause, const Facts& facts) {
  std::vector<Claim> claims;
  if (std::optional<Claim> gates = ReadGates(clause)) {
    claims.push_back(*std::move(gates));
  } else if (std::optional<Claim> runs = ReadRuns(clause, facts)) {
    claims.push_back(*std::move(runs));
  }
  return claims;
}

}  // namespace scm::claims
