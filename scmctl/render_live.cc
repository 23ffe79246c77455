#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/human.h"
#include "scmctl/render.h"
#include "scmctl/table.h"

namespace scm {
namespace {

constexpr int kBar = 10;

std::optional<absl::Time> TimeAt(const Json& object, const char* key) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, StringAt(object, key), &time, &error)) {
    return std::nullopt;
  }
  return time;
}

std::string EtaText(const Json& experiment) {
  const auto now = TimeAt(experiment, "now"), eta = TimeAt(experiment, "eta"),
             p90 = TimeAt(experiment, "eta_p90");
  if (!now || !eta) return "";
  std::string text = absl::StrCat("ETA ", HumanDuration(*eta - *now));
  if (p90) absl::StrAppend(&text, " (P90 ", HumanDuration(*p90 - *now), ")");
  return text;
}

// "3/5 running · 2 done" of the stage's runs.
std::string CountsText(const Json& status, const std::string& stage) {
  int total = 0, running = 0, done = 0, stopped = 0;
  for (const Json& run : MemberAt(status, "runs")) {
    if (StringAt(run, "stage") != stage) continue;
    ++total;
    const std::string state = StringAt(run, "state");
    if (state == "RUNNING" || state == "ASSIGNED" || state == "STOPPING") ++running;
    if (state == "SUCCEEDED") ++done;
    if (state == "ABORTED" || state == "FAILED") ++stopped;
  }
  if (total == 0) return "";
  std::string text = absl::StrCat(running, "/", total, " running · ", done, " done");
  if (stopped > 0) absl::StrAppend(&text, " · ", stopped, " stopped");
  return text;
}

std::string AccuracyText(const Json& run) {
  const Json& accuracy = MemberAt(MemberAt(run, "latest"), "validation_accuracy");
  if (!accuracy.is_number()) return Cell(accuracy);
  std::string text = absl::StrFormat("%.2f", accuracy.get<double>());
  const Json& chance = MemberAt(run, "chance");
  // Chance stands beside an accuracy that has not left it behind.
  if (chance.is_number() && accuracy.get<double>() < 2 * chance.get<double>()) {
    absl::StrAppend(&text, absl::StrFormat(" ▲%.2f", chance.get<double>()));
  }
  return text;
}

void AddRun(Table& table, const Json& run) {
  const Json& latest = MemberAt(run, "latest");
  const double end = NumberAt(run, "stop_at_step", NumberAt(run, "max_steps", 1));
  const int64_t step = IntegerAt(run, "step", 0);
  const bool waiting = StringAt(run, "state") == "PENDING" && step == 0;
  table.Add({Cell(MemberAt(run, "id")), Cell(MemberAt(run, "seed")), Cell(MemberAt(run, "state")),
             waiting ? "–" : absl::StrCat(step),
             waiting ? std::string(kBar, ' ') : Bar(static_cast<double>(step) / end, kBar),
             Cell(MemberAt(latest, "train_loss"), 3), Cell(MemberAt(latest, "validation_loss"), 3),
             AccuracyText(run), waiting ? Cell(MemberAt(run, "reason")) : Cell(MemberAt(run, "worker"))});
}

std::string Header(const Json& status, const Terminal& terminal) {
  const Json& e = MemberAt(status, "experiment");
  const std::string stage = StringAt(e, "stage"), state = StringAt(e, "state");
  std::string line = StringAt(e, "name");
  absl::StrAppend(&line, "   ", state == "RUNNING" || stage.empty() ? stage : state);
  for (const std::string& part : {CountsText(status, stage), CostText(e), EtaText(e)}) {
    if (!part.empty()) absl::StrAppend(&line, "   ", part);
  }
  return Fit(line, terminal.width);
}

std::string AbortLines(const Json& status, const Terminal& terminal) {
  std::string out;
  for (const Json& run : MemberAt(status, "runs")) {
    if (StringAt(run, "state") != "ABORTED") continue;
    const std::string id = StringAt(run, "id");
    const std::string tail = absl::StrCat(" · scmctl why ", id);
    const std::string text = absl::StrCat(id, " ABORTED ", StringAt(run, "rule"), ": ",
                                          StringAt(run, "reason"));
    absl::StrAppend(&out, ColourState("ABORTED", Fit(text, terminal.width - DisplayWidth(tail)),
                                      terminal.colour),
                    tail, "\n");
  }
  return out;
}

}  // namespace

std::string RenderLive(const Json& status, const Terminal& terminal) {
  std::string out = absl::StrCat(Header(status, terminal), "\n\n");
  Table table({{"run"}, {"seed", true}, {"state", false, false, true}, {"step", true}, {""},
               {"loss", true}, {"val.loss", true}, {"accuracy"}, {"worker", false, true}});
  const std::string stage = StringAt(MemberAt(status, "experiment"), "stage");
  bool has_runs = false;
  for (const Json& run : MemberAt(status, "runs")) has_runs |= StringAt(run, "stage") == stage;
  for (const Json& run : MemberAt(status, "runs")) {
    // The stage at work; once it has no runs of its own, the replicates stay in sight.
    if (StringAt(run, "stage") == (has_runs ? stage : "replicate")) AddRun(table, run);
  }
  absl::StrAppend(&out, table.Render(terminal, "No runs in this stage."));
  for (const Json& task : MemberAt(status, "tasks")) {
    const std::string state = StringAt(task, "state");
    if (!MemberAt(task, "run").is_null() || state == "SUCCEEDED") continue;
    absl::StrAppend(&out, "\n", StringAt(task, "kind"), " ", StringAt(task, "id"), "  ",
                    ColourState(state, state, terminal.colour));
    const double total = NumberAt(task, "progress_total", 0);
    if (total > 0) {
      const double done = NumberAt(task, "progress", 0);
      absl::StrAppend(&out, "  ", Bar(done / total, kBar), absl::StrFormat(" %.0f/%.0f", done, total));
    }
    absl::StrAppend(&out, "  ", Fit(StringAt(task, "reason"), terminal.width - 40));
  }
  const std::string aborts = AbortLines(status, terminal);
  if (!aborts.empty()) absl::StrAppend(&out, "\n\n", aborts);
  return out;
}

namespace {

using States = std::map<std::string, std::pair<std::string, std::string>>;  // id → state, line

States StatesOf(const Json& status) {
  States states;
  for (const Json& stage : MemberAt(status, "stages")) {
    const std::string name = StringAt(stage, "name"), gate = StringAt(stage, "gate");
    states[name] = {StringAt(stage, "state"),
                    absl::StrCat("stage ", name, " ", StringAt(stage, "state"),
                                 gate.empty() ? "" : absl::StrCat(", gate ", gate),
                                 StringAt(stage, "reason").empty() ? "" : ": ",
                                 StringAt(stage, "reason"))};
  }
  for (const Json& run : MemberAt(status, "runs")) {
    const Json& latest = MemberAt(run, "latest");
    const int64_t step = IntegerAt(run, "step", 0);
    const int64_t end = IntegerAt(run, "stop_at_step", 1);
    // A tenth of the way is a change worth a line.
    const int64_t tenth = end > 0 ? 10 * step / end : 0;
    std::string line = absl::StrCat(
        StringAt(run, "stage"), " ", StringAt(run, "id"), " seed ", Cell(MemberAt(run, "seed")),
        " ", StringAt(run, "state"), " step ", step, "/", end);
    if (!MemberAt(latest, "validation_loss").is_null()) {
      absl::StrAppend(&line, " val.loss ", Cell(MemberAt(latest, "validation_loss"), 3));
    }
    if (!MemberAt(latest, "validation_accuracy").is_null()) {
      absl::StrAppend(&line, " accuracy ", Cell(MemberAt(latest, "validation_accuracy"), 3));
    }
    if (StringAt(run, "state") == "ABORTED" || StringAt(run, "state") == "FAILED") {
      absl::StrAppend(&line, ": ", StringAt(run, "rule"), " ", StringAt(run, "reason"),
                      " · scmctl why ", StringAt(run, "id"));
    }
    states[StringAt(run, "id")] = {absl::StrCat(StringAt(run, "state"), tenth), line};
  }
  for (const Json& task : MemberAt(status, "tasks")) {
    if (!MemberAt(task, "run").is_null()) continue;
    states[StringAt(task, "id")] = {
        StringAt(task, "state"),
        absl::StrCat(StringAt(task, "kind"), " ", StringAt(task, "id"), " ",
                     StringAt(task, "state"), StringAt(task, "reason").empty() ? "" : ": ",
                     StringAt(task, "reason"))};
  }
  return states;
}

}  // namespace

std::string RenderChanges(const Json& before, const Json& now) {
  const States old = StatesOf(before);
  const std::string at = StringAt(MemberAt(now, "experiment"), "now");
  std::string out;
  for (const auto& [id, entry] : StatesOf(now)) {
    const auto known = old.find(id);
    if (known != old.end() && known->second.first == entry.first) continue;
    absl::StrAppend(&out, at.substr(0, 19), "Z ", entry.second, "\n");
  }
  return out;
}

}  // namespace scm
