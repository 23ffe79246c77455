// Answers of a coordinator, as scmctl gets them.
#pragma once

#include <algorithm>
#include <string>

#include "absl/strings/str_split.h"
#include "common/json.h"
#include "scmctl/render/terminal.h"

namespace scm::ctl {

inline Json RunAnswer(const std::string& id, int seed, const std::string& state, int step) {
  return {
      {"id", id},
      {"stage", "replicate"},
      {"trial", nullptr},
      {"seed", seed},
      {"state", state},
      {"reason", nullptr},
      {"rule", nullptr},
      {"step", step},
      {"max_steps", 2000},
      {"stop_at_step", 2000},
      {"worker", "w-1"},
      {"parameters", Json::object()},
      {"latest", {{"train_loss", 0.71}, {"validation_loss", 0.84}, {"validation_accuracy", 0.71}}},
      {"chance", 0.25}};
}

inline Json StatusAnswer(int seeds, const std::string& state) {
  Json runs = Json::array();
  for (int i = 0; i < seeds; ++i) {
    runs.push_back(RunAnswer("r-" + std::to_string(21 + i), 11 + i, state, 1340));
  }
  return {{"experiment",
           {{"id", "e-3"},
            {"name", "scm-legal-1b"},
            {"state", "RUNNING"},
            {"stage", "replicate"},
            {"decision", nullptr},
            {"reason", nullptr},
            {"headline", nullptr},
            {"cost", 38.2},
            {"currency", "USD"},
            {"budget", 200.0},
            {"now", "2026-11-22T12:00:00.000Z"},
            {"eta", "2026-11-22T16:10:00.000Z"},
            {"eta_p90", "2026-11-22T17:00:00.000Z"}}},
          {"stages", Json::array()},
          {"runs", runs},
          {"tasks", Json::array()}};
}

inline int WidestLine(const std::string& text) {
  int widest = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    widest = std::max(widest, DisplayWidth(std::string(line)));
  }
  return widest;
}

}  // namespace scm::ctl
