#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

struct Entry {
  std::string id;
  std::string state;  // a change of it is worth a line
  std::string line;
};

Entry StageEntry(const Json& stage) {
  const std::string name = StringAt(stage, "name"), gate = StringAt(stage, "gate"),
                    reason = StringAt(stage, "reason"), state = StringAt(stage, "state");
  return {
      name, state,
      absl::StrCat("stage ", name, " ", state, gate.empty() ? "" : absl::StrCat(", gate ", gate),
                   reason.empty() ? "" : ": ", reason)};
}

Entry RunEntry(const Json& run) {
  const Json& latest = MemberAt(run, "latest");
  const std::string id = StringAt(run, "id"), state = StringAt(run, "state"),
                    reason = StringAt(run, "reason");
  const int64_t step = IntegerAt(run, "step", 0), end = IntegerAt(run, "stop_at_step", 0);
  // A tenth of the way is a change worth a line.
  const int64_t tenth = end > 0 ? 10 * step / end : 0;
  std::string line =
      absl::StrCat(StringAt(run, "stage"), " ", id, " seed ", Cell(MemberAt(run, "seed")), " ",
                   state, " step ", step, "/", end);
  for (const auto& [key, label] : {std::pair("validation_loss", " val.loss "),
                                   std::pair("validation_accuracy", " accuracy ")}) {
    if (!MemberAt(latest, key).is_null()) {
      absl::StrAppend(&line, label, Cell(MemberAt(latest, key), 3));
    }
  }
  if (state == "ABORTED") {
    absl::StrAppend(&line, ": ", AbortText(run), " · scmctl why ", id);
  } else if ((state == "FAILED" || state == "PENDING") && !reason.empty()) {
    absl::StrAppend(&line, ": ", reason);
  }
  return {id, absl::StrCat(state, tenth), line};
}

// In the order of the answer: stages, runs, other tasks.
std::vector<Entry> EntriesOf(const Json& status) {
  std::vector<Entry> entries;
  for (const Json& stage : MemberAt(status, "stages")) entries.push_back(StageEntry(stage));
  for (const Json& run : MemberAt(status, "runs")) entries.push_back(RunEntry(run));
  for (const Json& task : MemberAt(status, "tasks")) {
    if (!MemberAt(task, "run").is_null()) continue;
    const std::string reason = StringAt(task, "reason"), state = StringAt(task, "state");
    entries.push_back({StringAt(task, "id"), state,
                       absl::StrCat(TaskText(task), " ", StringAt(task, "id"), " ", state,
                                    reason.empty() ? "" : ": ", reason)});
  }
  return entries;
}

}  // namespace

std::string RenderChanges(const Json& before, const Json& now) {
  std::map<std::string, std::string> known;
  for (const Entry& entry : EntriesOf(before)) known[entry.id] = entry.state;
  const std::string at = StringAt(MemberAt(now, "experiment"), "now");
  std::string out;
  for (const Entry& entry : EntriesOf(now)) {
    const auto old = known.find(entry.id);
    if (old != known.end() && old->second == entry.state) continue;
    absl::StrAppend(&out, at.substr(0, 19), "Z ", entry.line, "\n");
  }
  return out;
}

}  // namespace scm::ctl
