// The sections about money, time, machines and what comes out: budget, timeline, resources,
// evaluation, export.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "experiment/read.h"
#include "experiment/scalar.h"

namespace scm::experiment_file {
namespace {

constexpr size_t kLongestBaselineName = 64;

// Letters, digits, dot, dash, underscore: safe in tables, labels and file names.
bool IsSimpleName(const std::string& name) {
  return !name.empty() && name.size() <= kLongestBaselineName &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
         });
}

bool IsCurrency(const std::string& text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(),
                                         [](unsigned char c) { return absl::ascii_isupper(c); });
}

void ReadGpuHours(Section section, BudgetSpec& budget) {
  if (!section.present()) return;
  for (const Entry& entry : section.node()->entries) {
    double rate = 0;
    if (section.Read(entry.key, rate, kNotNegative)) budget.gpu_hour[entry.key] = rate;
  }
}

void ReadTasks(Section& section, std::vector<std::string>& tasks) {
  const Node* node = section.Child("tasks");
  Findings& findings = section.findings();
  const std::string path = section.PathOf("tasks");
  if (node == nullptr) {
    if (!findings.Failed(path)) section.Missing("tasks", "List the tasks of the items to score");
    return;
  }
  if (node->kind != NodeKind::kList || node->items.empty()) {
    findings.ErrorAt(path, absl::StrCat("expected a list like [legal_reasoning], ", Found(*node)));
    return;
  }
  TakeTaskNames(*node, path, findings, tasks);
}

void ReadBaseline(Section section, const std::string& base, EvaluationSpec& evaluation) {
  if (!section.present()) return;
  Findings& findings = section.findings();
  BaselineSpec baseline;
  if (!section.Read("name", baseline.name)) {
    if (!findings.Failed(section.PathOf("name"))) {
      section.Missing("name", "Every baseline needs a name of its own");
    }
  } else if (!IsSimpleName(baseline.name)) {
    findings.ErrorAt(section.PathOf("name"),
                     "use letters, digits, '.', '-' and '_' only, 64 at most");
  }
  for (const BaselineSpec& other : evaluation.baselines) {
    if (other.name == baseline.name && !baseline.name.empty()) {
      findings.ErrorAt(section.PathOf("name"),
                       absl::StrCat("another baseline is called ", baseline.name, " already"));
    }
  }
  Presence model, predictions;
  if (section.Child("model", model) != nullptr) ReadPath(section, "model", base, baseline.model);
  if (section.Child("predictions", predictions) != nullptr) {
    ReadPath(section, "predictions", base, baseline.predictions);
  }
  section.Finish();
  const bool has_model = model == Presence::kGiven;
  const bool has_predictions = predictions == Presence::kGiven;
  if (has_model == has_predictions && !findings.Failed(section.path())) {
    findings.ErrorAt(section.path(), has_model ? "has a model and predictions; it can have only one"
                                               : "needs model: PATH or predictions: FILE.jsonl");
  }
  evaluation.baselines.push_back(std::move(baseline));
}

void ReadBaselines(Section& section, const std::string& base, EvaluationSpec& evaluation) {
  Presence presence;
  const Node* node = section.Child("baselines", presence);
  if (node == nullptr) return;
  const std::string path = section.PathOf("baselines");
  if (node->kind != NodeKind::kList) {
    section.findings().ErrorAt(
        path, absl::StrCat("expected a list like [{name: base, model: PATH}], ", Found(*node)));
    return;
  }
  for (size_t i = 0; i < node->items.size(); ++i) {
    const std::string item_path = absl::StrCat(path, "[", i, "]");
    section.findings().NoteKey(item_path, node->items[i]->place);
    ReadBaseline(Section(node->items[i].get(), item_path, section.findings()), base, evaluation);
  }
}

void ReadPrimary(Section& section, EvaluationSpec& evaluation) {
  Presence presence;
  Section primary = section.Sub("primary", presence);
  if (presence != Presence::kGiven) return;
  PrimarySpec spec;
  for (auto [key, value] : {std::pair("task", &spec.task), std::pair("baseline", &spec.baseline)}) {
    if (!primary.Read(key, *value) && !section.findings().Failed(primary.PathOf(key))) {
      primary.Missing(key, "The primary comparison names one task and one baseline");
    }
  }
  primary.Finish();
  evaluation.primary = std::move(spec);
}

void ReadGate(Section& section, const std::string& key, const NumberRule& rule,
              std::optional<double>& gate) {
  Presence presence;
  if (section.Child(key, presence) == nullptr) return;
  double value = 0;
  if (section.Read(key, value, rule)) gate = value;
}

void ReadGates(Section& section, GatesSpec& spec) {
  Presence presence;
  Section gates = section.Sub("gates", presence);
  ReadGate(gates, "loss_reduction", kOpenFraction, spec.loss_reduction);
  ReadGate(gates, "accuracy", kOpenFraction, spec.accuracy);
  ReadGate(gates, "p_value", kOpenFraction, spec.p_value);
  ReadGate(gates, "latency_ms_p95", kPositive, spec.latency_ms_p95);
  gates.Finish();
}

}  // namespace

void TakeTaskNames(const Node& list, const std::string& path, Findings& findings,
                   std::vector<std::string>& tasks) {
  for (const NodePtr& item : list.items) {
    const std::optional<std::string> name = AsText(*item);
    if (!name || name->empty()) {
      findings.Error(item->place, path, absl::StrCat("expected a task's name, ", Found(*item)));
    } else if (std::find(tasks.begin(), tasks.end(), *name) != tasks.end()) {
      findings.Error(item->place, path, absl::StrCat(*name, " is listed twice"));
    } else {
      tasks.push_back(*name);
    }
  }
}

void ReadBudget(Section& top, ExperimentSpec& spec) {
  Presence presence;
  Section section = top.Sub("budget", presence);
  if (presence != Presence::kGiven) return;
  BudgetSpec budget;
  if (!section.Read("limit", budget.limit, kPositive) &&
      !section.findings().Failed("budget.limit")) {
    section.Missing("limit", "A budget needs the amount that may be spent");
  }
  if (section.Read("currency", budget.currency) && !IsCurrency(budget.currency)) {
    section.findings().ErrorAt("budget.currency",
                               "expected three capital letters, like USD or EUR");
  }
  Presence gpus;
  ReadGpuHours(section.Sub("gpu_hour", gpus), budget);
  Presence cpus;
  if (section.Child("cpu_hour", cpus) != nullptr) {
    double rate = 0;
    if (section.Read("cpu_hour", rate, kNotNegative)) budget.cpu_hour = rate;
  }
  section.Finish();
  spec.budget = std::move(budget);
}

void ReadTimeline(Section& top, ExperimentSpec& spec) {
  Presence presence;
  Section section = top.Sub("timeline", presence);
  if (presence != Presence::kGiven) return;
  TimelineSpec timeline;
  std::string date;
  if (section.Read("finish_by", date)) {
    // Formatting it again refuses what the parser is lenient about.
    if (!absl::ParseCivilTime(date, &timeline.finish_by) ||
        absl::FormatCivilTime(timeline.finish_by) != date || date.size() != 10) {
      section.findings().ErrorAt(
          "timeline.finish_by",
          absl::StrCat("expected a date of the calendar like 2026-12-31, found ", date));
    }
  } else if (!section.findings().Failed("timeline.finish_by")) {
    section.Missing("finish_by", "A timeline needs the date of its end, like 2026-12-31");
  }
  section.Read("max_slip_days", timeline.max_slip_days, kNotNegative);
  section.Finish();
  spec.timeline = timeline;
}

void ReadResources(Section& top, ResourcesSpec& resources) {
  Section section = top.Sub("resources");
  section.Read("ranks", resources.ranks, {1, 1024});
  section.Read("gpus", resources.gpus, {0, 4096});
  section.Read("cpus", resources.cpus, {1, 65536});
  section.Read("priority", resources.priority, {0, 100});
  section.Finish();
}

void ReadEvaluation(Section& top, const std::string& base, ExperimentSpec& spec) {
  Presence presence;
  Section section = top.Sub("evaluation", presence);
  if (presence != Presence::kGiven) return;
  EvaluationSpec evaluation;
  ReadTasks(section, evaluation.tasks);
  ReadBaselines(section, base, evaluation);
  ReadPrimary(section, evaluation);
  ReadGates(section, evaluation.gates);
  section.Finish();
  spec.evaluation = std::move(evaluation);
}

void ReadExport(Section& top, ExperimentSpec& spec) {
  Presence presence;
  Section section = top.Sub("export", presence);
  if (presence != Presence::kGiven) return;
  ExportSpec formats{{"peft", "merged"}};
  section.Read("formats", formats.formats, Words{{"peft", "merged"}, {"gguf", "quantize"}});
  section.Planned("quantize");
  section.Finish();
  spec.export_ = std::move(formats);
}

}  // namespace scm::experiment_file
