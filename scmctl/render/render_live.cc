#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/human.h"
#include "scmctl/render/render.h"
#include "scmctl/render/table.h"

namespace scm::ctl {
namespace {

constexpr int kBar = 10;
constexpr size_t kAborts = 4;  // the latest; `runs` lists all
constexpr size_t kFewestRuns = 3;

bool IsActive(const std::string& state) {
  return state == "RUNNING" || state == "ASSIGNED" || state == "STOPPING";
}

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
  std::string text =
      absl::StrCat("ETA ", HumanDuration(std::max(absl::ZeroDuration(), *eta - *now)));
  if (p90 && *p90 > *eta) absl::StrAppend(&text, " (P90 ", HumanDuration(*p90 - *now), ")");
  return text;
}

// "3/5 running · 2 done" of the stage's runs.
std::string CountsText(const Json& status, const std::string& stage) {
  int total = 0, running = 0, done = 0, aborted = 0, failed = 0;
  for (const Json& run : MemberAt(status, "runs")) {
    if (StringAt(run, "stage") != stage) continue;
    ++total;
    const std::string state = StringAt(run, "state");
    running += IsActive(state) ? 1 : 0;
    done += state == "SUCCEEDED" ? 1 : 0;
    aborted += state == "ABORTED" ? 1 : 0;
    failed += state == "FAILED" ? 1 : 0;
  }
  if (total == 0) return "";
  std::string text = absl::StrCat(running, "/", total, " running");
  if (done > 0) absl::StrAppend(&text, " · ", done, " done");
  if (aborted > 0) absl::StrAppend(&text, " · ", aborted, " aborted");
  if (failed > 0) absl::StrAppend(&text, " · ", failed, " failed");
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

void AddRun(TextTable& table, const Json& run) {
  const Json& latest = MemberAt(run, "latest");
  const double end = NumberAt(run, "stop_at_step", NumberAt(run, "max_steps", 1));
  const int64_t step = IntegerAt(run, "step", 0);
  const std::string state = StringAt(run, "state");
  const bool waiting = state == "PENDING";
  table.Add({Cell(MemberAt(run, "id")), Cell(MemberAt(run, "seed")), Cell(MemberAt(run, "state")),
             waiting && step == 0 ? "–" : absl::StrCat(step),
             waiting && step == 0 ? std::string(kBar, ' ')
                                  : Bar(end > 0 ? static_cast<double>(step) / end : 0, kBar),
             Cell(MemberAt(latest, "train_loss"), 3), Cell(MemberAt(latest, "validation_loss"), 3),
             AccuracyText(run),
             waiting || state == "FAILED" ? Cell(MemberAt(run, "reason"))
                                          : Cell(MemberAt(run, "worker"))});
}

// Parts in as many lines as the width asks for.
std::string Header(const Json& status, const Terminal& terminal) {
  const Json& e = MemberAt(status, "experiment");
  const std::string stage = StringAt(e, "stage"), state = StringAt(e, "state");
  std::string line = absl::StrCat(StringAt(e, "name"), " (", StringAt(e, "id"), ")"), out;
  for (const std::string& part : {state == "RUNNING" && !stage.empty() ? stage : state,
                                  CountsText(status, stage), CostText(e), EtaText(e)}) {
    if (part.empty()) continue;
    if (DisplayWidth(line) + 3 + DisplayWidth(part) > terminal.width) {
      absl::StrAppend(&out, Fit(line, terminal.width), "\n");
      line = absl::StrCat("  ", part);
    } else {
      absl::StrAppend(&line, "   ", part);
    }
  }
  return absl::StrCat(out, Fit(line, terminal.width), "\n");
}

// Lines about tasks that are no run: a data check, an evaluation, an export, a report.
std::vector<std::string> TaskLines(const Json& status, const Terminal& terminal) {
  std::vector<std::string> lines;
  for (const Json& task : MemberAt(status, "tasks")) {
    const std::string state = StringAt(task, "state");
    if (!MemberAt(task, "run").is_null() || state == "SUCCEEDED") continue;
    const std::string head = absl::StrCat(TaskText(task), "  ", StringAt(task, "id"), "  ");
    std::string tail;
    const double total = NumberAt(task, "progress_total", 0);
    if (total > 0) {
      const double done = NumberAt(task, "progress", 0);
      tail =
          absl::StrCat("  ", Bar(done / total, kBar), absl::StrFormat(" %.0f/%.0f", done, total));
    }
    if (const std::string reason = StringAt(task, "reason"); !reason.empty()) {
      absl::StrAppend(&tail, "  ", reason);
    }
    const int left = terminal.width - DisplayWidth(head) - DisplayWidth(state);
    lines.push_back(
        absl::StrCat(head, ColourState(state, state, terminal.colour), Fit(tail, left)));
  }
  return lines;
}

std::vector<std::string> AbortLines(const Json& status, const Terminal& terminal) {
  std::vector<std::string> lines;
  for (const Json& run : MemberAt(status, "runs")) {
    if (StringAt(run, "state") != "ABORTED") continue;
    const std::string id = StringAt(run, "id");
    const std::string head = absl::StrCat(id, " "), tail = absl::StrCat(" · scmctl why ", id);
    const std::string text = absl::StrCat(" ", AbortText(run));
    const int left = terminal.width - DisplayWidth(head) - DisplayWidth(tail) - 7;
    lines.push_back(absl::StrCat(head, ColourState("ABORTED", "ABORTED", terminal.colour),
                                 Fit(text, left), tail));
  }
  if (lines.size() > kAborts) lines.erase(lines.begin(), lines.end() - kAborts);
  return lines;
}

// Those of the runs that fit into `room` lines, in their order: what moves stays in sight longest.
std::vector<const Json*> Chosen(const std::vector<const Json*>& runs, size_t room) {
  std::vector<std::pair<int, size_t>> order;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string state = StringAt(*runs[i], "state");
    order.emplace_back(IsActive(state) ? 0 : state == "PENDING" ? 1 : 2, i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  order.resize(std::min(order.size(), room));
  std::vector<size_t> kept;
  for (const auto& [rank, index] : order) kept.push_back(index);
  std::sort(kept.begin(), kept.end());
  std::vector<const Json*> chosen;
  for (const size_t index : kept) chosen.push_back(runs[index]);
  return chosen;
}

}  // namespace

std::string RenderLive(const Json& status, const Terminal& terminal) {
  const std::string stage = StringAt(MemberAt(status, "experiment"), "stage");
  const Json& all = MemberAt(status, "runs");
  // The stage at work; once it has no runs of its own, the replicates stay in sight.
  const bool has_runs = std::any_of(
      all.begin(), all.end(), [&](const Json& run) { return StringAt(run, "stage") == stage; });
  std::vector<const Json*> runs;
  for (const Json& run : all) {
    if (StringAt(run, "stage") == (has_runs ? stage : "replicate")) runs.push_back(&run);
  }
  const std::string header = Header(status, terminal);
  const std::vector<std::string> tasks = TaskLines(status, terminal);
  const std::vector<std::string> aborts = AbortLines(status, terminal);
  // Header, table head, empty lines between, the cursor's line, and one to count what is left out.
  const size_t taken =
      std::count(header.begin(), header.end(), '\n') + tasks.size() + aborts.size() + 6;
  const size_t height = static_cast<size_t>(std::max(0, terminal.height));
  const std::vector<const Json*> shown =
      Chosen(runs, std::max(kFewestRuns, height > taken ? height - taken : 0));
  TextTable table({{"run"},
                   {"seed", true},
                   {"state", false, false, true},
                   {"step", true},
                   {""},
                   {"loss", true, false, false, 2},
                   {"val.loss", true, false, false, 1},
                   {"accuracy"},
                   {"worker", false, true}});
  for (const Json* run : shown) AddRun(table, *run);
  std::string out = absl::StrCat(header, "\n", table.Render(terminal, "No runs in this stage."));
  if (shown.size() < runs.size()) {
    const std::string more = absl::StrCat("… ", runs.size() - shown.size(), " more: scmctl runs ",
                                          StringAt(MemberAt(status, "experiment"), "id"));
    absl::StrAppend(&out, Fit(more, terminal.width), "\n");
  }
  for (const std::vector<std::string>* lines : {&tasks, &aborts}) {
    if (!lines->empty()) absl::StrAppend(&out, "\n");
    for (const std::string& line : *lines) absl::StrAppend(&out, line, "\n");
  }
  return out;
}

}  // namespace scm::ctl
