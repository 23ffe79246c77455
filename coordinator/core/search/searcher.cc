#include "coordinator/core/search/searcher.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/core/search/rung.h"
#include "coordinator/core/search/sampling.h"
#include "coordinator/core/search/search_record.h"

namespace scm::search {
namespace {

// All searches in one: they differ in their points (SamplePoints) and in their rungs. A search
// without rungs of its own has one, at the end, where nothing is left to stop.
class RungSearcher : public Searcher {
 public:
  RungSearcher(SweepSpec spec, std::vector<int64_t> rungs)
      : spec_(std::move(spec)),
        rungs_(std::move(rungs)),
        better_(spec_.mode == "max" ? Better::kHigher : Better::kLower) {}

  SearchStep Advance(const SearchState& state, const SearchEvent& event) const override {
    SearchRecord record = RecordFromState(state, rungs_.size());
    std::vector<SearchAction> actions =
        std::visit([&](const auto& e) { return On(e, record); }, event);
    const bool all_exited =
        std::all_of(record.trials.begin(), record.trials.end(),
                    [](const SearchTrial& trial) { return trial.end.has_value(); });
    if (record.started && !record.finished && all_exited &&
        static_cast<int64_t>(record.trials.size()) == record.wanted) {
      record.finished = true;
      actions.emplace_back(std::in_place_type<SearchFinished>);
    }
    return {StateFromRecord(record), std::move(actions)};
  }

  std::vector<RankedTrial> Ranking(const SearchState& state) const override;

  std::vector<int64_t> rungs() const override { return rungs_; }

 private:
  std::vector<SearchAction> On(const SearchStarted&, SearchRecord& record) const {
    std::vector<SearchAction> actions;
    if (record.started) return actions;
    for (Json& point : SamplePoints(spec_)) actions.push_back(CreateTrial{std::move(point)});
    record.started = true;
    record.wanted = static_cast<int64_t>(actions.size());
    return actions;
  }

  std::vector<SearchAction> On(const TrialCreated& event, SearchRecord& record) const {
    const bool room = static_cast<int64_t>(record.trials.size()) < record.wanted;
    if (room && record.Find(event.trial) == nullptr) record.trials.push_back({event.trial, {}, 0});
    return {};
  }

  // A repeated report, one of a trial that ended or was told to stop, one at another step and a
  // value that is not finite change nothing: the abort rules answer for non-finite values.
  std::vector<SearchAction> On(const RungReached& event, SearchRecord& record) const {
    const auto at = std::find(rungs_.begin(), rungs_.end(), event.step);
    SearchTrial* trial = record.Find(event.trial);
    if (at == rungs_.end() || trial == nullptr || trial->end || trial->stopped_at > 0 ||
        !std::isfinite(event.value)) {
      return {};
    }
    std::vector<RungEntry>& entries = record.rungs[static_cast<size_t>(at - rungs_.begin())];
    for (const RungEntry& entry : entries) {
      if (entry.trial == event.trial) return {};
    }
    const size_t index = InsertAtRung(event.trial, event.value, better_, entries);
    if (event.step == rungs_.back()) {
      return {ContinueTrial{event.trial, event.step, LastRungReason(entries, index, event.step)}};
    }
    RungVerdict verdict = JudgeAtRung(entries, index, event.step, spec_.eta);
    if (verdict.continues) {
      return {ContinueTrial{event.trial, event.step, std::move(verdict.reason)}};
    }
    trial->stopped_at = event.step;
    return {StopTrial{event.trial, event.step, std::move(verdict.reason)}};
  }

  std::vector<SearchAction> On(const TrialExited& event, SearchRecord& record) const {
    SearchTrial* trial = record.Find(event.trial);
    if (trial != nullptr && !trial->end) trial->end = event.end;
    return {};
  }

  SweepSpec spec_;
  std::vector<int64_t> rungs_;
  Better better_;
};

// Completed trials first, then failed ones, then diverged ones.
int StatusRank(TrialEnd end) {
  switch (end) {
    case TrialEnd::kCompleted:
      return 0;
    case TrialEnd::kFailed:
      return 1;
    case TrialEnd::kDiverged:
      return 2;
    case TrialEnd::kCensored:
      return 3;
  }
  return 3;
}

// Censored trials are left out: what ended them says nothing about them. So are trials still going.
std::vector<RankedTrial> RungSearcher::Ranking(const SearchState& state) const {
  const SearchRecord record = RecordFromState(state, rungs_.size());
  struct Ranked {
    RankedTrial trial;
    size_t place;  // at its highest rung; by creation if it has none
  };
  std::vector<Ranked> ranked;
  for (size_t created = 0; created < record.trials.size(); ++created) {
    const SearchTrial& trial = record.trials[created];
    if (!trial.end || *trial.end == TrialEnd::kCensored) continue;
    Ranked row{{trial.id, 0, 0, *trial.end}, created};
    for (size_t r = 0; r < rungs_.size(); ++r) {
      for (size_t place = 0; place < record.rungs[r].size(); ++place) {
        const RungEntry& entry = record.rungs[r][place];
        if (entry.trial == trial.id) row = {{trial.id, rungs_[r], entry.value, *trial.end}, place};
      }
    }
    ranked.push_back(std::move(row));
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::make_tuple(StatusRank(a.trial.end), -a.trial.step, a.place) <
           std::make_tuple(StatusRank(b.trial.end), -b.trial.step, b.place);
  });
  std::vector<RankedTrial> result;
  for (Ranked& row : ranked) result.push_back(std::move(row.trial));
  return result;
}

absl::Status CheckRungs(const std::vector<int64_t>& rungs, int64_t max_steps) {
  if (rungs.empty()) {
    return absl::InvalidArgumentError("sweep.rungs: search asha needs at least one rung");
  }
  for (size_t i = 0; i < rungs.size(); ++i) {
    if (rungs[i] < 1 || (i > 0 && rungs[i] <= rungs[i - 1]) || rungs[i] > max_steps) {
      return absl::InvalidArgumentError(
          absl::StrCat("sweep.rungs: expected ascending steps up to training.max_steps (",
                       max_steps, "), found ", rungs[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Searcher>> MakeSearcher(const SweepSpec& spec, int64_t max_steps) {
  if (spec.search != "asha" && spec.search != "random" && spec.search != "grid") {
    return absl::InvalidArgumentError(absl::StrCat(
        "sweep.search: \"", spec.search, "\" is not supported; use asha, random or grid"));
  }
  if (spec.mode != "min" && spec.mode != "max") {
    return absl::InvalidArgumentError(
        absl::StrCat("sweep.mode: expected min or max, found \"", spec.mode, "\""));
  }
  SCM_RETURN_IF_ERROR(CheckSpace(spec));
  if (spec.search == "asha" && spec.eta < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("sweep.eta: expected at least 2, found ", spec.eta));
  }
  std::vector<int64_t> rungs = spec.search == "asha" ? spec.rungs : std::vector<int64_t>{max_steps};
  SCM_RETURN_IF_ERROR(CheckRungs(rungs, max_steps));
  return std::make_unique<RungSearcher>(spec, std::move(rungs));
}

}  // namespace scm::search
