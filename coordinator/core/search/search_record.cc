#include "coordinator/core/search/search_record.h"

#include <utility>

namespace scm::search {
namespace {

constexpr std::pair<TrialEnd, const char*> kEnds[] = {{TrialEnd::kCompleted, "completed"},
                                                      {TrialEnd::kDiverged, "diverged"},
                                                      {TrialEnd::kFailed, "failed"},
                                                      {TrialEnd::kCensored, "censored"}};

Json EndToJson(const std::optional<TrialEnd>& end) {
  for (const auto& [value, name] : kEnds) {
    if (end == value) return name;
  }
  return nullptr;
}

std::optional<TrialEnd> EndFromName(const std::string& text) {
  for (const auto& [value, name] : kEnds) {
    if (text == name) return value;
  }
  return std::nullopt;
}

}  // namespace

SearchTrial* SearchRecord::Find(const TrialId& id) {
  for (SearchTrial& trial : trials) {
    if (trial.id == id) return &trial;
  }
  return nullptr;
}

SearchState StateFromRecord(const SearchRecord& record) {
  Json trials = Json::array();
  for (const SearchTrial& trial : record.trials) {
    trials.push_back(
        {{"id", trial.id.str()}, {"end", EndToJson(trial.end)}, {"stopped_at", trial.stopped_at}});
  }
  Json rungs = Json::array();
  for (const std::vector<RungEntry>& rung : record.rungs) {
    Json entries = Json::array();
    for (const RungEntry& entry : rung) {
      entries.push_back({{"trial", entry.trial.str()}, {"value", entry.value}});
    }
    rungs.push_back(std::move(entries));
  }
  SearchState state;
  state.value = {{"version", 1},
                 {"started", record.started},
                 {"finished", record.finished},
                 {"wanted", record.wanted},
                 {"trials", std::move(trials)},
                 {"rungs", std::move(rungs)}};
  return state;
}

SearchRecord RecordFromState(const SearchState& state, size_t rung_count) {
  SearchRecord record;
  record.started = BoolAt(state.value, "started", false);
  record.finished = BoolAt(state.value, "finished", false);
  record.wanted = IntegerAt(state.value, "wanted", 0);
  for (const Json& trial : MemberAt(state.value, "trials")) {
    record.trials.push_back({TrialId(StringAt(trial, "id")), EndFromName(StringAt(trial, "end")),
                             IntegerAt(trial, "stopped_at", 0)});
  }
  for (const Json& rung : MemberAt(state.value, "rungs")) {
    std::vector<RungEntry> entries;
    for (const Json& entry : rung) {
      entries.push_back({TrialId(StringAt(entry, "trial")), NumberAt(entry, "value", 0)});
    }
    record.rungs.push_back(std::move(entries));
  }
  record.rungs.resize(rung_count);
  return record;
}

}  // namespace scm::search
