// Submission and the built-in programs read the same keys: what one takes the other takes, for
// every described key and values at and around the ends of what it may hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "corpus/split.h"
#include "experiment/describe.h"
#include "experiment/key_list.h"
#include "experiment/parse.h"
#include "trainer/protocol/spec.h"

namespace scm {
namespace {

using namespace experiment_file;  // NOLINT: a test of its words

// Every section that a built-in program reads; max_steps leaves room for any warm-up.
constexpr char kFile[] = R"(
name: t
model: {base: m.gguf, fallback: n.gguf}
data: {corpus: c}
training: {max_steps: 1000000000}
trainer: {parameters: {train_tasks: [a]}}
replicate: {seeds: [11]}
evaluation: {tasks: [a, b], baselines: [{name: one, model: k.gguf}],
             primary: {task: a, baseline: one}, gates: {accuracy: 0.6}}
export: {}
)";

// One key with the values to try.
struct Trial {
  std::string path;  // "evaluation.baselines[0].name"
  std::vector<Json> values;
};

// The visitor: collects the values to try of every key, and names the keys as AllKeys() does.
class Trials {
 public:
  void Field(const Key& key, double, const NumberRule&) { Add(key, Numbers()); }
  void Field(const Key& key, const std::optional<double>&, const NumberRule&) {
    Add(key, Numbers());
  }
  void Field(const Key& key, int64_t value, const IntegerRule& rule) {
    std::vector<Json> values = {rule.low - 1, rule.low, rule.low + 1,       value,    4.0,
                                4.5,          1e19,     9007199254740994.0, rule.high};
    values.emplace_back(static_cast<uint64_t>(rule.high) + 1);
    Add(key, std::move(values));
  }
  template <typename V, typename Rule>
  void Field(const Key& key, const ByPattern<V>&, const Rule&) {
    std::vector<Json> values;
    for (const char* json : {R"({"q_proj": 8})", R"({"b": 1, "a": 4096})", R"({"": 1})",
                             R"({"q_proj": 0})", R"({"q_proj": 4097})", R"({"q_proj": -1})",
                             R"({"q_proj": 2.5})", R"({"q_proj": "8"})", R"({"q_proj": "x"})",
                             R"({"q_proj": null})", R"({"q_proj": "none"})", R"({"q_proj": {}})"}) {
      values.push_back(*ParseJson(json, "test"));
    }
    Add(key, std::move(values));
  }
  void Field(const Key& key, bool value) { Add(key, {value, !value}); }
  void Field(const Key& key, const std::string& value, const TextRule& rule) {
    std::vector<Json> values = {value};
    if (rule.wrong == kBaselineName.wrong) {
      for (const char* name : {"a.b_c-d", "a b", "é"}) values.emplace_back(name);
      for (size_t length : {64, 65}) values.emplace_back(std::string(length, 'x'));
    }
    Add(key, std::move(values), /*any_word=*/false);
  }
  void Field(const Key& key, const std::string& value, const PathRule&) {
    Add(key, {value, "/a/path", "~/a/path"});
  }
  void Field(const Key& key, const std::string& value, const Words& words) {
    std::vector<Json> values = {value, absl::StrCat(value, " ")};
    for (const std::string& word : words.allowed) values.emplace_back(word);
    for (const std::string& word : words.planned) values.emplace_back(word);
    Add(key, std::move(values));
  }
  void Field(const Key& key, const std::vector<std::string>& value, const Words& words) {
    const std::string& first = words.allowed[0];
    std::vector<Json> values = {value, {first}, {first, first}, {first, 5}, {first, "?"}};
    values.emplace_back(words.allowed);
    values.emplace_back(words.planned);
    Add(key, std::move(values));
  }
  void Field(const Key& key, const std::vector<std::string>& value, const NamesRule&) {
    Add(key, {value, {"a", "a"}, {"a", ""}, {"a", 5}, {"a", true}, {"a", "5"}});
  }

  template <typename S>
  void Section(const Key& key, S& section) {
    Add(key, {});
    Trials inside = Inside(key.name, absl::StrCat(key.name, "."));
    Describe(inside, section);
    Take(inside);
  }
  template <typename S>
  void Section(const Key& key, std::optional<S>& section) {
    S value = section.value_or(S{});
    Section(key, value);
  }
  template <typename S>
  void Sections(const Key& key, std::vector<S>& list) {
    Add(key, {Json::array({{{"name", "x"}, {"model", "k"}}}), Json::array({5})});
    Trials inside = Inside(absl::StrCat(key.name, "[0]"), absl::StrCat(key.name, "[]."));
    Describe(inside, list.at(0));
    Take(inside);
  }
  void Planned(const char*) {}

  // What stands inside another section of the file.
  static Trials Within(const std::string& path) {
    Trials inside;
    inside.prefix_ = path + ".";
    return inside;
  }
  void Take(const Trials& other) {
    trials.insert(trials.end(), other.trials.begin(), other.trials.end());
    names.insert(other.names.begin(), other.names.end());
  }

  std::vector<Trial> trials;
  std::set<std::string> names;  // "training.early_stopping.patience"

 private:
  static std::vector<Json> Numbers() {
    constexpr double kTiny = std::numeric_limits<double>::denorm_min();
    constexpr double kMost = std::numeric_limits<double>::max();
    return {-kMost, -1.0,   -kTiny,
            0.0,    kTiny,  0.5,
            0.999,  0.9995, std::nextafter(1.0, 0.0),
            1,      1.0,    std::nextafter(1.0, 2.0),
            1.5,    1e12,   1e13,
            kMost};
  }
  // With values of every other type. `any_word`: which words there are does not depend on the rest.
  void Add(const Key& key, std::vector<Json> values, bool any_word = true) {
    for (const char* json : {"true", "-1", "0", "2.5", "[]", "[1]", "[[]]", "{}", "\"\""}) {
      values.push_back(*ParseJson(json, "test"));
    }
    if (any_word) {
      for (const char* word : {"word", "5", "none"}) values.emplace_back(word);
    }
    if (key.none) values.emplace_back(nullptr);
    trials.push_back({absl::StrCat(prefix_, key.name), std::move(values)});
    names.insert(absl::StrCat(names_prefix_.empty() ? prefix_ : names_prefix_, key.name));
  }
  Trials Inside(const std::string& path, const std::string& name) const {
    Trials inside;
    inside.prefix_ = absl::StrCat(prefix_, path, ".");
    inside.names_prefix_ = absl::StrCat(names_prefix_.empty() ? prefix_ : names_prefix_, name);
    return inside;
  }

  std::string prefix_, names_prefix_;
};

Trials AllTrials(ExperimentSpec spec) {
  Trials trials;
  trials.Section(kModel, spec.model);
  trials.Section(kData, spec.data);
  trials.Section(kLora, spec.lora);
  trials.Section(kTraining, spec.training);
  trials.Section(kEvaluation, spec.evaluation);
  trials.Section(kExport, spec.export_);
  Trials trainer = Trials::Within("trainer");
  TrainerParameters parameters{.train_tasks = {"a"}};
  trainer.Section(kTrainerParameters, parameters);
  trials.Take(trainer);
  return trials;
}

bool IsOrHolds(absl::string_view path, absl::string_view key) {
  return absl::StartsWith(key, path) &&
         (key.size() == path.size() || key[path.size()] == '.' || key[path.size()] == '[');
}

ParsedExperiment Submit(const Json& file) {
  return ParseExperiment(DumpJson(file), {.base_directory = "/base", .check_paths = false});
}

// What submission says about the key, or "".
std::string SubmissionSays(const Json& file, const std::string& path) {
  for (const Diagnostic& error : Submit(file).errors) {
    if (IsOrHolds(path, error.key)) return FormatDiagnostic("file", error);
  }
  return "";
}

absl::StatusOr<trainer::JobSpec> ReadByTrainer(const Json& file) {
  const Json order = {{"protocol", 1},       {"task", {{"id", "k-1"}, {"kind", "train"}}},
                      {"parameters", file},  {"max_steps", 10},
                      {"save_steps", 5},     {"eval_steps", 5},
                      {"work_dir", "/work"}, {"resources", {{"cpus", 1}}}};
  return trainer::ParseJobSpec(DumpJson(order), "spec");
}

// What the trainer says about it, or "".
std::string TrainerSays(const Json& file, const std::string& path) {
  const absl::StatusOr<trainer::JobSpec> spec = ReadByTrainer(file);
  const std::string message(spec.status().message());
  for (absl::string_view line : absl::StrSplit(message, '\n')) {
    const size_t at = line.find("parameters.");
    if (at == line.npos) continue;
    const absl::string_view key = line.substr(at + 11, line.find(": ", at) - at - 11);
    if (IsOrHolds(path, key)) return std::string(line);
  }
  return "";
}

Json::json_pointer PointerTo(const std::string& path) {
  return Json::json_pointer("/" + absl::StrReplaceAll(path, {{".", "/"}, {"[", "/"}, {"]", ""}}));
}

TEST(Agreement, OfSubmissionAndTrainerAboutEveryValue) {
  const ParsedExperiment parsed =
      ParseExperiment(kFile, {.base_directory = "/base", .check_paths = false});
  ASSERT_TRUE(parsed.spec.has_value()) << FormatDiagnostic("file", parsed.errors[0]);
  const Json file = SpecToJson(*parsed.spec);
  ASSERT_TRUE(ReadByTrainer(file).ok()) << ReadByTrainer(file).status();
  int taken = 0, refused = 0;
  for (Trial& trial : AllTrials(*parsed.spec).trials) {
    const Json::json_pointer pointer = PointerTo(trial.path);
    if (file.contains(pointer)) trial.values.push_back(file[pointer]);
    for (const Json& value : trial.values) {
      Json changed = file;
      changed[pointer] = value;
      const std::string submission = SubmissionSays(changed, trial.path);
      const std::string trainer = TrainerSays(changed, trial.path);
      EXPECT_EQ(submission.empty(), trainer.empty())
          << trial.path << ": " << DumpJson(value) << "\nsubmission: " << submission
          << "\ntrainer:    " << trainer;
      ++(submission.empty() ? taken : refused);
      // As the coordinator hands it on.
      const ParsedExperiment submitted = Submit(changed);
      if (!submitted.spec) continue;
      const auto read = ReadByTrainer(SpecToJson(*submitted.spec));
      EXPECT_TRUE(read.ok()) << trial.path << ": " << DumpJson(value) << "\n" << read.status();
    }
    EXPECT_EQ(SubmissionSays(file, trial.path), "");
  }
  EXPECT_GT(taken, 200);
  EXPECT_GT(refused, 400);
}

// No key of a section that the trainer reads escapes the test above.
TEST(Agreement, CoversEveryDescribedKeyOfTheSections) {
  const ParsedExperiment parsed =
      ParseExperiment(kFile, {.base_directory = "/base", .check_paths = false});
  const std::set<std::string> tried = AllTrials(*parsed.spec).names;
  const std::set<std::string> sections = {
      "model", "data", "lora", "training", "evaluation", "export", "trainer.parameters"};
  int covered = 0;
  for (const KeyRow& row : AllKeys()) {
    if (sections.count(row.section) == 0) continue;
    EXPECT_EQ(tried.count(absl::StrCat(row.section, ".", row.key)), 1u)
        << row.section << "." << row.key;
    ++covered;
  }
  EXPECT_GT(covered, 45);
}

// The pairs that once passed submission and failed on the worker.
TEST(Agreement, OfWhatUsedToFailOnTheWorker) {
  const ParsedExperiment parsed =
      ParseExperiment(kFile, {.base_directory = "/base", .check_paths = false});
  Json file = SpecToJson(*parsed.spec);
  file["lora"]["dropout"] = 0.9995;
  file["lora"]["alpha"] = 1e13;
  file["data"]["split"]["seed"] = std::numeric_limits<int64_t>::max();
  ASSERT_TRUE(Submit(file).errors.empty());
  const auto read = ReadByTrainer(file);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->lora.dropout, 0.9995);
  EXPECT_EQ(read->data.split.seed, std::numeric_limits<int64_t>::max());
  file["data"]["max_length"] = 4;
  EXPECT_NE(SubmissionSays(file, "data.max_length"), "");
  EXPECT_NE(TrainerSays(file, "data.max_length"), "");
}

// A missing section has the defaults of a missing section of the file.
TEST(Agreement, OfDefaults) {
  const Json nothing = {{"model", {{"base", "/m"}}}, {"data", {{"corpus", "/c"}}}};
  const auto read = ReadByTrainer(nothing);
  ASSERT_TRUE(read.ok()) << read.status();
  ExperimentSpec file;
  file.model.emplace().base = "/m";
  file.data.emplace().corpus = "/c";
  file.evaluation.emplace();
  file.export_.emplace();
  ExperimentSpec job;
  job.model.emplace().base = read->model;
  job.data = read->data;
  job.lora = read->lora;
  job.training = read->training;
  job.evaluation = read->evaluation;
  job.export_ = read->export_;
  // The steps are those of the work order; a document without the key meant no end token.
  job.training.max_steps = file.training.max_steps;
  job.training.save_steps = file.training.save_steps;
  job.training.eval_steps = file.training.eval_steps;
  file.data->end_token = false;
  EXPECT_EQ(DumpJson(SpecToJson(job), 1), DumpJson(SpecToJson(file), 1));
  // A worker divides the corpus of another trainer, of which nothing is checked.
  const corpus::SplitOptions split;
  EXPECT_EQ(split.train, file.data->split.train);
  EXPECT_EQ(split.validation, file.data->split.validation);
  EXPECT_EQ(split.test, file.data->split.test);
  EXPECT_EQ(split.seed, file.data->split.seed);
}

}  // namespace
}  // namespace scm
