#include "scmctl/trial_packing.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/search/sampling.h"
#include "coordinator/core/trial_packs.h"
#include "experiment/parse.h"
#include "trainer/data/pack_memory.h"

namespace scm::ctl {
namespace {

// By estimate, in bytes.
struct PackBytes {
  double all = 0;
  double one = 0;  // its largest trial alone
  size_t trials = 0;

  double Times() const { return all / one; }
};

// What a pack of these trials takes.
class TrialMemory {
 public:
  TrialMemory(const model::LlamaConfig& base, const ExperimentSpec& spec,
              const std::vector<Json>& points)
      : base_(base) {
    for (const Json& point : points) {
      trials_.push_back(ApplyParameters(spec, point).value_or(spec));
      needs_.push_back(trainer::NeedsOf(base_, trials_.back()));
      alone_.push_back(Bytes(trials_.back(), {needs_.back()}));
    }
  }

  PackBytes Of(const std::vector<size_t>& pack) const {
    PackBytes bytes{.trials = pack.size()};
    std::vector<trainer::RunNeeds> runs;
    for (const size_t trial : pack) {
      runs.push_back(needs_[trial]);
      bytes.one = std::max(bytes.one, alone_[trial]);
    }
    bytes.all = Bytes(trials_[pack.front()], runs);
    return bytes;
  }
  bool Fit(const core::Packs& packs) const {
    return std::all_of(packs.begin(), packs.end(), [this](const std::vector<size_t>& pack) {
      return Of(pack).Times() <= trainer::kMostTimesOne;
    });
  }
  // Of the pack that takes most beside its largest trial.
  PackBytes Widest(const core::Packs& packs) const {
    PackBytes widest;
    for (const std::vector<size_t>& pack : packs) {
      const PackBytes bytes = Of(pack);
      if (widest.trials == 0 || bytes.Times() > widest.Times()) widest = bytes;
    }
    return widest;
  }

 private:
  double Bytes(const ExperimentSpec& shared, const std::vector<trainer::RunNeeds>& runs) const {
    return static_cast<double>(trainer::EstimateTrainingBytes(base_, shared, runs));
  }

  const model::LlamaConfig& base_;
  std::vector<ExperimentSpec> trials_;
  std::vector<trainer::RunNeeds> needs_;
  std::vector<double> alone_;  // bytes of each by itself
};

size_t Largest(const core::Packs& packs) {
  size_t largest = 0;
  for (const std::vector<size_t>& pack : packs) largest = std::max(largest, pack.size());
  return largest;
}

core::Packs PacksOfSize(const ExperimentSpec& spec, const std::vector<Json>& points, int64_t size) {
  ExperimentSpec packed = spec;
  packed.sweep->packed = true;
  packed.sweep->pack_size = size;
  return core::PacksOfTrials(packed, points);
}

// What `auto` comes to. The packs are those that were looked at last: where trials are not packed,
// the smallest that would be.
core::Packs Decide(const TrialMemory& memory, const std::vector<Json>& points,
                   ExperimentSpec& spec) {
  core::Packs packs;
  for (int64_t size = spec.sweep->pack_size; size > 1; --size) {
    packs = PacksOfSize(spec, points, size);
    if (Largest(packs) < 2) break;
    if (!memory.Fit(packs)) continue;
    spec.sweep->packed = true;
    spec.sweep->pack_size = size;
    return packs;
  }
  spec.sweep->packed = false;
  return packs;
}

// "the 16 trials train in 2 processes of up to 8".
std::string How(size_t trials, const core::Packs& packs, bool packed) {
  const std::string all = absl::StrCat("the ", trials, " trials train in ");
  const size_t largest = packed ? Largest(packs) : 1;
  if (largest < 2) return absl::StrCat(all, "a process each");
  if (packs.size() == 1) return absl::StrCat(all, "one process");
  return absl::StrCat(all, packs.size(), " processes of up to ", largest);
}

// "2 of them need about 3.1 GB, 1.62 times the 1.9 GB of one".
std::string MemoryText(const PackBytes& widest, size_t trials) {
  const std::string who =
      widest.trials == trials ? "together they" : absl::StrCat(widest.trials, " of them");
  return absl::StrFormat("%s need about %.1f GB, %.2f times the %.1f GB of one", who,
                         widest.all / 1e9, widest.Times(), widest.one / 1e9);
}

}  // namespace

std::string PackTrials(const model::LlamaConfig* base, ExperimentSpec& spec) {
  if (!spec.sweep || !spec.HasStage(StageKind::kSweep) || spec.sweep->packed == false) return "";
  const bool by_itself = !spec.sweep->packed;
  if (by_itself && base == nullptr) return "";
  const std::vector<Json> points = search::SamplePoints(*spec.sweep);
  if (points.size() < 2) {
    if (by_itself) spec.sweep->packed = false;
    return "there is one trial: nothing to pack";
  }
  std::optional<TrialMemory> memory;
  if (base != nullptr) memory.emplace(*base, spec, points);
  const core::Packs packs =
      by_itself ? Decide(*memory, points, spec) : core::PacksOfTrials(spec, points);
  std::string text = absl::StrCat(How(points.size(), packs, *spec.sweep->packed),
                                  by_itself ? " (sweep.packed: auto)" : "");
  const size_t largest = Largest(packs);
  if (memory && largest > 1) {
    absl::StrAppend(&text, ": ", MemoryText(memory->Widest(packs), points.size()));
  }
  if (by_itself && largest > 1) {
    absl::StrAppendFormat(&text, ", and up to %.2f times they are packed", trainer::kMostTimesOne);
  }
  const std::vector<std::string> parting = core::PartingParameters(spec);
  if (parting.empty()) return text;
  return absl::StrCat(text, "; those that differ in ", absl::StrJoin(parting, " or "),
                      " cannot share one");
}

}  // namespace scm::ctl
