// Searchers produce trials and decide who continues. Pure: state and event in, new state and
// actions out. The state holds everything, the random stream's position included, and is committed
// in the same transaction as the event that it consumed.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/json.h"
#include "experiment/spec.h"

namespace scm::search {

// Opaque to everyone but the searcher that wrote it; JSON so that it can be stored and replayed.
struct SearchState {
  Json value = Json::object();
};

struct SearchStarted {};
// The trial that a CreateTrial action asked for now has this id (in the order of the actions).
struct TrialCreated {
  TrialId trial;
  Json parameters;
};
// Finite value of the sweep's metric at a rung step.
struct RungReached {
  TrialId trial;
  int64_t step = 0;
  double value = 0;
};
enum class TrialEnd {
  kCompleted,  // ran to its last rung or step, or was stopped at a rung
  kDiverged,   // aborted for what it did (no_convergence, non_finite, below_random): ranks last
  kFailed,     // ended by itself with an error: ranks last
  kCensored,   // budget, slip, infrastructure, cancelled: says nothing about the trial
};
struct TrialExited {
  TrialId trial;
  TrialEnd end;
};
using SearchEvent = std::variant<SearchStarted, TrialCreated, RungReached, TrialExited>;

struct CreateTrial {
  Json parameters;  // {"training.learning_rate": 0.001}
};
struct StopTrial {
  TrialId trial;
  int64_t step = 0;
  std::string reason;  // the same text everywhere it shows
};
struct ContinueTrial {
  TrialId trial;
  int64_t step = 0;
  std::string reason;
};
struct SearchFinished {};
using SearchAction = std::variant<CreateTrial, StopTrial, ContinueTrial, SearchFinished>;

struct SearchStep {
  SearchState state;
  std::vector<SearchAction> actions;
};

// The outcome of a search: best first; trials without a finite value at any rung come last, by
// status.
struct RankedTrial {
  TrialId trial;
  int64_t step = 0;  // highest rung with a value; 0 = none
  double value = 0;  // meaningful iff step > 0
  TrialEnd end = TrialEnd::kCompleted;
};

class Searcher {
 public:
  virtual ~Searcher() = default;
  virtual SearchStep Advance(const SearchState& state, const SearchEvent& event) const = 0;
  virtual std::vector<RankedTrial> Ranking(const SearchState& state) const = 0;
  // Steps at which RungReached is wanted, ascending; the last is where every trial ends.
  virtual std::vector<int64_t> rungs() const = 0;
};

// INVALID_ARGUMENT for a search that is not supported (the parser refuses it first).
// `max_steps` is training.max_steps: where grid and random trials end.
absl::StatusOr<std::unique_ptr<Searcher>> MakeSearcher(const SweepSpec& spec, int64_t max_steps);

}  // namespace scm::search
