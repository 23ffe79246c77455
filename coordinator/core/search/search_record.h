// The searcher's state as C++ values, and its JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/search/searcher.h"

namespace scm::search {

// A value at a rung. Entries of a rung are kept best first, equals in order of arrival.
struct RungEntry {
  TrialId trial;
  double value = 0;  // finite
};

struct SearchTrial {
  TrialId id;
  std::optional<TrialEnd> end;  // nullopt: still going
  int64_t stopped_at = 0;       // rung at which it was told to stop; 0: never
};

struct SearchRecord {
  bool started = false;
  bool finished = false;
  int64_t wanted = 0;  // trials asked for; trial i drew from stream i, so this is the position
  std::vector<SearchTrial> trials;            // in order of creation
  std::vector<std::vector<RungEntry>> rungs;  // one list a rung, ascending steps

  SearchTrial* Find(const TrialId& id);
};

// Round trip: RecordFromState(StateFromRecord(r)) equals r. A state that is empty or not from here
// gives an empty record with `rung_count` empty rungs.
SearchState StateFromRecord(const SearchRecord& record);
SearchRecord RecordFromState(const SearchState& state, size_t rung_count);

}  // namespace scm::search
