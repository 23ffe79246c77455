#include "scmctl/input_checks.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "common/human.h"
#include "common/suggest.h"
#include "corpus/loader.h"
#include "corpus/predictions.h"
#include "corpus/quality.h"
#include "corpus/split.h"
#include "scmctl/model_checks.h"

namespace scm::ctl {
namespace {

constexpr size_t kListed = 20;  // problems of one input

// A corpus that could be loaded, and what the experiment makes of it.
struct LoadedCorpus {
  corpus::Corpus corpus;
  corpus::SplitAssignment assignment;
};

class Checker {
 public:
  explicit Checker(ParsedExperiment& parsed) : parsed_(parsed) {}

  void Run() {
    for (const NamedInput& input : parsed_.inputs) {
      if (input.kind == NamedInput::Kind::kCorpus) CheckCorpus(input);
    }
    CheckModels(parsed_, loaded_ ? &loaded_->corpus : nullptr);
    for (const NamedInput& input : parsed_.inputs) {
      if (input.kind == NamedInput::Kind::kPredictions) CheckPredictions(input);
    }
  }

 private:
  void CheckCorpus(const NamedInput& input);
  void CheckQualityOf(const NamedInput& input);
  void CheckTaskNames(const std::string& key, const std::vector<std::string>& tasks);
  void CheckChoices(const std::vector<std::string>& tasks);
  void CheckTraining();
  void CheckSplitToTrain(corpus::Split split, const std::vector<std::string>& tasks,
                         const char* purpose);
  void CheckPredictions(const NamedInput& input);
  void CheckCoverage(const NamedInput& input, const corpus::PredictedAnswers& answers,
                     const std::string& baseline);

  // The tasks that the corpus has, of those that are evaluated.
  std::vector<std::string> EvaluatedTasks() const;
  std::vector<const corpus::Item*> TestItems(const std::string& task) const;
  void Error(const std::string& key, std::string message);
  void Warning(const std::string& key, std::string message);
  int LineOf(std::string key) const;

  ParsedExperiment& parsed_;
  std::optional<LoadedCorpus> loaded_;
  std::set<std::string> empty_;  // splits, and tasks without test items, that are reported already
};

// Every message at the line of the input, cut where a list would be longer than anyone reads.
void AddAll(const NamedInput& input, const std::vector<std::string>& messages,
            std::vector<Diagnostic>& list) {
  for (size_t i = 0; i < std::min(kListed, messages.size()); ++i) {
    list.push_back({input.line, input.key, messages[i]});
  }
  if (messages.size() <= kListed) return;
  list.push_back({input.line, input.key,
                  absl::StrCat("… and ", messages.size() - kListed, " more of the kind")});
}

std::vector<std::string> Formatted(const std::string& corpus,
                                   const std::vector<corpus::CorpusProblem>& problems) {
  std::vector<std::string> messages;
  for (const corpus::CorpusProblem& problem : problems) {
    const std::string prefix = problem.file.empty() ? "" : absl::StrCat(corpus, "/");
    messages.push_back(absl::StrCat(prefix, corpus::FormatCorpusProblem(problem)));
  }
  return messages;
}

bool Has(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

int Checker::LineOf(std::string key) const {
  while (!key.empty()) {
    const auto found = parsed_.lines.find(key);
    if (found != parsed_.lines.end()) return found->second;
    const size_t end = key.find_last_of(".[");
    key = end == key.npos ? "" : key.substr(0, end);
  }
  return 0;
}

void Checker::Error(const std::string& key, std::string message) {
  parsed_.errors.push_back({LineOf(key), key, std::move(message)});
}

void Checker::Warning(const std::string& key, std::string message) {
  parsed_.warnings.push_back({LineOf(key), key, std::move(message)});
}

std::vector<std::string> Checker::EvaluatedTasks() const {
  const std::vector<std::string> known = loaded_->corpus.TaskNames();
  std::vector<std::string> tasks;
  if (parsed_.spec && parsed_.spec->evaluation) {
    for (const std::string& task : parsed_.spec->evaluation->tasks) {
      if (Has(known, task)) tasks.push_back(task);
    }
  }
  return tasks;
}

std::vector<const corpus::Item*> Checker::TestItems(const std::string& task) const {
  std::vector<const corpus::Item*> items;
  for (const size_t i :
       corpus::ItemsOf(loaded_->corpus, loaded_->assignment, corpus::Split::kTest, {task})) {
    items.push_back(&loaded_->corpus.items[i]);
  }
  return items;
}

void Checker::CheckTaskNames(const std::string& key, const std::vector<std::string>& tasks) {
  const std::vector<std::string> known = loaded_->corpus.TaskNames();
  for (const std::string& task : tasks) {
    if (Has(known, task)) continue;
    const std::string near = Suggest(task, known);
    Error(key, absl::StrCat("\"", task, "\" is no task of the corpus. ",
                            near.empty() ? absl::StrCat("It has ", absl::StrJoin(known, ", "))
                                         : absl::StrCat("Did you mean ", near, "?")));
  }
}

// Conversations have nothing to be scored by.
void Checker::CheckChoices(const std::vector<std::string>& tasks) {
  const std::vector<std::string> all = loaded_->corpus.TaskNames();
  const std::vector<std::string> scored = loaded_->corpus.ChoiceTaskNames();
  for (const std::string& task : tasks) {
    if (!Has(all, task) || Has(scored, task)) continue;
    Error("evaluation.tasks", absl::StrCat("the items of ", task,
                                           " are conversations (messages), which have no choices "
                                           "to score. Leave the task out"));
  }
}

// What the stage `check` would refuse.
void Checker::CheckCorpus(const NamedInput& input) {
  corpus::CorpusLoad load = corpus::LoadCorpus(input.path);
  AddAll(input, Formatted(input.path, load.errors), parsed_.errors);
  AddAll(input, Formatted(input.path, load.warnings), parsed_.warnings);
  if (!load.ok() || !parsed_.spec) return;
  const SplitSpec split = DataForBuiltIns(*parsed_.spec)->split;
  const auto assignment =
      corpus::AssignSplits(load.corpus, {split.train, split.validation, split.test, split.seed});
  if (!assignment.ok()) {
    parsed_.errors.push_back({input.line, input.key, std::string(assignment.status().message())});
    return;
  }
  loaded_ = LoadedCorpus{std::move(load.corpus), *assignment};
  CheckQualityOf(input);
  if (parsed_.spec->evaluation) {
    CheckTaskNames("evaluation.tasks", parsed_.spec->evaluation->tasks);
    CheckChoices(parsed_.spec->evaluation->tasks);
  }
  if (parsed_.spec->trainer.built_in()) CheckTraining();
}

void Checker::CheckQualityOf(const NamedInput& input) {
  corpus::QualityOptions options;
  options.tasks = EvaluatedTasks();
  const corpus::QualityReport quality =
      corpus::CheckQuality(loaded_->corpus, loaded_->assignment, options);
  // A trainer of one's own may use the corpus in its own way.
  const bool ours = parsed_.spec->trainer.built_in();
  AddAll(input, quality.Messages(corpus::Severity::kError),
         ours ? parsed_.errors : parsed_.warnings);
  AddAll(input, quality.Messages(corpus::Severity::kWarning), parsed_.warnings);
  for (const corpus::Finding& finding : quality.findings) {
    if (!ours || finding.check != "empty_split" || finding.severity != corpus::Severity::kError)
      continue;
    empty_.insert(finding.subjects.begin(), finding.subjects.end());
  }
  if (!parsed_.spec->HasStage(StageKind::kEvaluate)) return;
  for (const std::string& task : options.tasks) {
    if (empty_.count(task) > 0 || !TestItems(task).empty()) continue;
    Error("evaluation.tasks", absl::StrCat("the test split holds no item of ", task,
                                           ": nothing about it can be evaluated. Add items, raise "
                                           "data.split.test or leave the task out"));
  }
}

void Checker::CheckSplitToTrain(corpus::Split split, const std::vector<std::string>& tasks,
                                const char* purpose) {
  if (!corpus::ItemsOf(loaded_->corpus, loaded_->assignment, split, tasks).empty()) return;
  const bool texts =
      parsed_.spec->training.loss_on == "all" && loaded_->assignment.CountDocuments(split) > 0;
  if (texts || empty_.count(corpus::SplitName(split)) > 0) return;
  const std::string of = tasks.empty() ? "" : absl::StrCat(" of ", absl::StrJoin(tasks, ", "));
  Error(tasks.empty() ? "data.split" : "trainer.parameters.train_tasks",
        absl::StrCat("no item", of, " is in the split ", corpus::SplitName(split),
                     ", so there is nothing to ", purpose,
                     ". Change data.split, or add documents with items"));
}

// What the trainer would refuse.
void Checker::CheckTraining() {
  const std::vector<std::string> tasks = BuiltInParameters(*parsed_.spec).train_tasks;
  const size_t before = parsed_.errors.size();
  CheckTaskNames("trainer.parameters.train_tasks", tasks);
  if (parsed_.errors.size() > before) return;
  CheckSplitToTrain(corpus::Split::kTrain, tasks, "train on");
  CheckSplitToTrain(corpus::Split::kValidation, tasks, "validate on");
}

// Partly answered tasks and the primary comparison are errors; a baseline that leaves a whole task
// out may mean it.
void Checker::CheckCoverage(const NamedInput& input, const corpus::PredictedAnswers& answers,
                            const std::string& baseline) {
  const std::optional<PrimarySpec>& primary = parsed_.spec->evaluation->primary;
  for (const std::string& task : EvaluatedTasks()) {
    const std::vector<const corpus::Item*> items = TestItems(task);
    const std::string lacking = corpus::LackingAnswers(answers, input.path, task, items);
    if (lacking.empty()) continue;
    const bool some = std::any_of(items.begin(), items.end(), [&](const corpus::Item* item) {
      return answers.answers.count(item->id) > 0;
    });
    const bool decides = primary && primary->task == task && primary->baseline == baseline;
    if (some || decides || answers.answers.empty()) {
      Error(input.key, absl::StrCat(lacking, ". Every test item of a task needs an answer"));
    } else {
      Warning(input.key, absl::StrCat(lacking, "; the report will say so"));
    }
  }
}

void Checker::CheckPredictions(const NamedInput& input) {
  const absl::StatusOr<std::string> text = ReadFile(input.path);
  if (!text.ok()) return Error(input.key, std::string(text.status().message()));
  if (!loaded_ || !parsed_.spec || !parsed_.spec->evaluation) return;
  std::vector<const corpus::Item*> items;
  for (const std::string& task : EvaluatedTasks()) {
    const std::vector<const corpus::Item*> of_task = TestItems(task);
    items.insert(items.end(), of_task.begin(), of_task.end());
  }
  const corpus::PredictedAnswers answers = corpus::ReadPredictions(*text, input.path, items);
  AddAll(input, answers.problems, parsed_.errors);
  if (!answers.problems.empty()) return;
  for (const BaselineSpec& baseline : parsed_.spec->evaluation->baselines) {
    if (baseline.predictions == input.path) CheckCoverage(input, answers, baseline.name);
  }
}

}  // namespace

void CheckInputs(ParsedExperiment& parsed) {
  Checker(parsed).Run();
  for (std::vector<Diagnostic>* list : {&parsed.errors, &parsed.warnings}) {
    std::stable_sort(list->begin(), list->end(),
                     [](const Diagnostic& a, const Diagnostic& b) { return a.line < b.line; });
  }
}

void CheckDates(ParsedExperiment& parsed, absl::Time now) {
  if (!parsed.spec || !parsed.spec->timeline) return;
  const TimelineSpec& timeline = *parsed.spec->timeline;
  const absl::Duration late = now - absl::FromCivil(timeline.finish_by + 1, absl::UTCTimeZone());
  if (late <= absl::ZeroDuration()) return;
  const bool hopeless = late > absl::Hours(24) * timeline.max_slip_days;
  const auto line = parsed.lines.find("timeline.finish_by");
  parsed.warnings.push_back(
      {line == parsed.lines.end() ? 0 : line->second, "timeline.finish_by",
       absl::StrCat(absl::FormatCivilTime(timeline.finish_by), " passed ", HumanDuration(late),
                    " ago",
                    hopeless ? ", longer than max_slip_days: the rule slip stops the experiment as "
                               "soon as its end can be projected"
                             : "")});
}

}  // namespace scm::ctl
