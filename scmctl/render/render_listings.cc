#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "scmctl/render/render.h"
#include "scmctl/render/table.h"

namespace scm::ctl {
namespace {

std::string StepText(const Json& run) {
  const Json& end = run.contains("stop_at_step") ? run["stop_at_step"] : MemberAt(run, "max_steps");
  return absl::StrCat(Cell(MemberAt(run, "step")), "/", Cell(end));
}

std::string ParametersText(const Json& parameters) {
  std::string text;
  for (auto it = parameters.begin(); it != parameters.end(); ++it) {
    const std::string key = it.key().substr(it.key().rfind('.') + 1);
    absl::StrAppend(&text, text.empty() ? "" : " ", key, "=", Cell(it.value(), 4));
  }
  return text.empty() ? "–" : text;
}

}  // namespace

std::string RenderList(const Json& answer, const Terminal& terminal) {
  TextTable table({{"id"},
                   {"name", false, true},
                   {"state", false, false, true},
                   {"stage"},
                   {"decision", false, false, true},
                   {"submitted"}});
  for (const Json& e : MemberAt(answer, "experiments")) {
    table.Add({Cell(MemberAt(e, "id")), Cell(MemberAt(e, "name")), Cell(MemberAt(e, "state")),
               Cell(MemberAt(e, "stage")), Cell(MemberAt(e, "decision")),
               LocalTime(StringAt(e, "submitted_at"))});
  }
  return table.Render(terminal, "No experiment yet. `scmctl submit FILE --follow` starts one.");
}

std::string RenderRuns(const Json& answer, const Terminal& terminal) {
  // What a sweep is looked at for, parameters and metric, is what a narrow terminal keeps.
  TextTable table({{"run"},
                   {"stage", false, false, false, 4},
                   {"trial", false, false, false, 5},
                   {"seed", true, false, false, 1},
                   {"state", false, false, true},
                   {"step", true},
                   {"val.loss", true},
                   {"accuracy", true, false, false, 2},
                   {"parameters"},
                   {"reason", false, true, false, 3}});
  for (const Json& run : MemberAt(answer, "runs")) {
    const Json& latest = MemberAt(run, "latest");
    table.Add({Cell(MemberAt(run, "id")), Cell(MemberAt(run, "stage")),
               Cell(MemberAt(run, "trial")), Cell(MemberAt(run, "seed")),
               Cell(MemberAt(run, "state")), StepText(run),
               Cell(MemberAt(latest, "validation_loss"), 3),
               Cell(MemberAt(latest, "validation_accuracy"), 3),
               ParametersText(MemberAt(run, "parameters")), Cell(MemberAt(run, "reason"))});
  }
  return table.Render(terminal, "No runs yet.");
}

std::string RenderStatus(const Json& answer, const Terminal& terminal) {
  const Json& e = MemberAt(answer, "experiment");
  const std::string state = StringAt(e, "state");
  std::string out = absl::StrCat(StringAt(e, "name"), " (", StringAt(e, "id"), ")  ",
                                 ColourState(state, state, terminal.colour));
  if (const std::string decision = StringAt(e, "decision"); !decision.empty()) {
    absl::StrAppend(&out, "  decision ", ColourState(decision, decision, terminal.colour));
  }
  if (const std::string cost = CostText(e); !cost.empty()) absl::StrAppend(&out, "  ", cost);
  absl::StrAppend(&out, "\n");
  if (const std::string reason = StringAt(e, "reason"); !reason.empty()) {
    absl::StrAppend(&out, reason, "\n");
  }
  TextTable stages({{"stage"},
                    {"state", false, false, true},
                    {"gate", false, false, true},
                    {"reason", false, true}});
  for (const Json& stage : MemberAt(answer, "stages")) {
    stages.Add({Cell(MemberAt(stage, "name")), Cell(MemberAt(stage, "state")),
                Cell(MemberAt(stage, "gate")), Cell(MemberAt(stage, "reason"))});
  }
  absl::StrAppend(&out, "\n", stages.Render(terminal, ""));
  absl::StrAppend(&out, "\n", RenderRuns(answer, terminal));
  TextTable tasks({{"task"},
                   {"kind"},
                   {"state", false, false, true},
                   {"attempts", true},
                   {"worker"},
                   {"reason", false, true}});
  for (const Json& task : MemberAt(answer, "tasks")) {
    if (!MemberAt(task, "run").is_null()) continue;
    tasks.Add({Cell(MemberAt(task, "id")), TaskText(task), Cell(MemberAt(task, "state")),
               Cell(MemberAt(task, "attempts")), Cell(MemberAt(task, "worker")),
               Cell(MemberAt(task, "reason"))});
  }
  absl::StrAppend(&out, "\n", tasks.Render(terminal, "No other tasks yet."));
  absl::StrAppend(&out, ArtifactsText(answer, terminal.width));
  return out;
}

std::string RenderMetrics(const Json& answer, const Terminal& terminal) {
  TextTable table({{"step", true}, {"attempt", true}, {"name"}, {"value", true}});
  for (const Json& point : MemberAt(answer, "points")) {
    table.Add({Cell(MemberAt(point, "step")), Cell(MemberAt(point, "attempt")),
               Cell(MemberAt(point, "name")), Cell(MemberAt(point, "value"), 6)});
  }
  return table.Render(terminal, "No metrics yet.");
}

std::string RenderEvents(const Json& answer, const Terminal& terminal) {
  TextTable table({{"at"}, {"subject"}, {"event"}, {"text", false, true}});
  for (const Json& event : MemberAt(answer, "events")) {
    table.Add({LocalTime(StringAt(event, "at")), Cell(MemberAt(event, "subject")),
               Cell(MemberAt(event, "kind")), Cell(MemberAt(event, "text"))});
  }
  return table.Render(terminal, "Nothing happened yet.");
}

std::string RenderCheckpoints(const Json& answer, const Terminal& terminal) {
  TextTable table({{"checkpoint"},
                   {"step", true},
                   {"attempt", true},
                   {"state"},
                   {"size", true},
                   {"sha256"},
                   {"path", false, true}});
  for (const Json& c : MemberAt(answer, "checkpoints")) {
    table.Add({Cell(MemberAt(c, "id")), Cell(MemberAt(c, "step")), Cell(MemberAt(c, "attempt")),
               MemberAt(c, "damage").is_string() ? "DELETED (damaged)" : Cell(MemberAt(c, "state")),
               HumanBytes(IntegerAt(c, "bytes", 0)),
               absl::StrCat(StringAt(c, "sha256").substr(0, 8), "…"), Cell(MemberAt(c, "path"))});
  }
  return table.Render(terminal, "No checkpoints yet.");
}

std::string RenderVerifiedCheckpoints(const Json& answer, const Terminal& terminal) {
  TextTable table(
      {{"checkpoint"}, {"step", true}, {"size", true}, {"files"}, {"problem", false, true}});
  for (const Json& c : MemberAt(answer, "checkpoints")) {
    table.Add({Cell(MemberAt(c, "id")), Cell(MemberAt(c, "step")),
               HumanBytes(IntegerAt(c, "bytes", 0)),
               BoolAt(c, "intact", false) ? "intact" : "damaged", Cell(MemberAt(c, "problem"))});
  }
  const int64_t damaged = IntegerAt(answer, "damaged", 0);
  return absl::StrCat(
      table.Render(terminal, "There are no checkpoints to verify."),
      damaged == 0 ? ""
                   : absl::StrCat("\n", damaged, damaged == 1 ? " is" : " are",
                                  " damaged and will not be used any more: runs go on from older "
                                  "ones.\n"));
}

std::string RenderWorkers(const Json& answer, const Terminal& terminal) {
  TextTable table({{"worker"},
                   {"host"},
                   {"state", false, false, true},
                   {"gpus", true},
                   {"cpus", true},
                   {"tasks"},
                   {"last seen", false, true}});
  for (const Json& w : MemberAt(answer, "workers")) {
    std::string tasks;
    for (const Json& task : MemberAt(w, "tasks")) {
      absl::StrAppend(&tasks, tasks.empty() ? "" : " ", task.get<std::string>());
    }
    table.Add({Cell(MemberAt(w, "id")), Cell(MemberAt(w, "host")), Cell(MemberAt(w, "state")),
               std::to_string(MemberAt(w, "gpus").size()), Cell(MemberAt(w, "cpus")),
               tasks.empty() ? "–" : tasks, LocalTime(StringAt(w, "last_seen"))});
  }
  return table.Render(terminal, "No worker has registered.");
}

}  // namespace scm::ctl
