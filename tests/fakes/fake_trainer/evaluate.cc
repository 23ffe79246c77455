#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/rng.h"
#include "tests/fakes/fake_trainer/job.h"

namespace scm::fake {
namespace {

std::vector<std::string> TaskNames(const Json& evaluation) {
  std::vector<std::string> names;
  for (const Json& name : MemberAt(evaluation, "tasks")) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  if (names.empty()) names.push_back("legal_reasoning");
  return names;
}

int64_t Gold(const std::string& task, int64_t item, int64_t choices) {
  return static_cast<int64_t>(Philox(1, "gold " + task, item).Below(choices));
}

// Whether an item is answered is a draw of (task, item) shared by all models, moved by the model's
// accuracy, so that models are correlated as real ones are.
Json Score(const Script& script, const std::string& model, const std::string& task,
           double accuracy) {
  Json likelihood = Json::array(), predicted = Json::array(), correct = Json::array();
  for (int64_t i = 0; i < script.items; ++i) {
    const double difficulty = Philox(2, "difficulty " + task, i).Uniform();
    const double luck = Philox(3, model + "/" + task, i).Uniform();
    const bool right = 0.8 * difficulty + 0.2 * luck < accuracy;
    const int64_t gold = Gold(task, i, script.choices);
    const int64_t answer = right ? gold : (gold + 1) % script.choices;
    Json row = Json::array();
    for (int64_t c = 0; c < script.choices; ++c) row.push_back(c == answer ? -1.0 : -2.0);
    likelihood.push_back(row);
    predicted.push_back(answer);
    correct.push_back(right ? 1 : 0);
  }
  return {{"log_likelihood", likelihood}, {"predicted", predicted}, {"correct", correct}};
}

Json Items(const Script& script, const std::string& task) {
  Json items = Json::array();
  for (int64_t i = 0; i < script.items; ++i) {
    items.push_back({{"id", absl::StrCat(task, "-", i)},
                     {"document", absl::StrCat("d-", i / 5)},
                     {"cluster", absl::StrCat("c-", i / 5)},
                     {"jurisdiction", i % 2 == 0 ? "AR" : "CL"},
                     {"choices", script.choices},
                     {"gold", Gold(task, i, script.choices)}});
  }
  return items;
}

Json Losses(const Script& script, double per_label) {
  Json documents = Json::array();
  for (int64_t d = 0; d * 5 < script.items; ++d) {
    const double labels = 20;
    documents.push_back({{"document", absl::StrCat("d-", d)},
                         {"loss_sum", labels * per_label * (1 + 0.01 * static_cast<double>(d % 7))},
                         {"labels", 20}});
  }
  return {{"documents", documents}};
}

// Whether the work order asks for the base (`name` empty) or for this baseline.
bool Asked(const Job& job, const std::string& name) {
  const Json& part = MemberAt(job.spec, "evaluate");
  if (!part.is_object()) return true;
  if (name.empty()) return BoolAt(part, "base", true);
  for (const Json& baseline : MemberAt(part, "baselines")) {
    if (baseline == name) return true;
  }
  return false;
}

struct Model {
  Json description;
  std::string name;
  double accuracy = 0, loss = 0;
};

std::vector<Model> Models(const Job& job) {
  const Json& parameters = MemberAt(job.spec, "parameters");
  const Json& evaluation = MemberAt(parameters, "evaluation");
  const std::string base = StringAt(MemberAt(parameters, "model"), "base");
  std::vector<Model> models;
  bool has_base = false;
  for (const Json& baseline : MemberAt(evaluation, "baselines")) {
    const std::string name = StringAt(baseline, "name"), path = StringAt(baseline, "model");
    const bool is_base = !path.empty() && path == base;
    has_base = has_base || is_base;
    if (!Asked(job, is_base ? "" : name)) continue;
    const char* kind = is_base ? "base" : path.empty() ? "predictions" : "model";
    models.push_back({{{"name", name}, {"kind", kind}}, name, job.script.base_accuracy, 2.0});
  }
  if (!has_base && Asked(job, "")) {
    models.insert(models.begin(),
                  {{{"name", "base"}, {"kind", "base"}}, "base", job.script.base_accuracy, 2.0});
  }
  for (const Json& input : MemberAt(job.spec, "inputs")) {
    if (StringAt(input, "kind") != "checkpoint") continue;
    const int64_t seed = IntegerAt(input, "seed", 0);
    const std::string name = absl::StrCat("seed ", seed);
    const double spread = 0.02 * (Philox(seed, "spread").Uniform() - 0.5);
    models.push_back({{{"name", name},
                       {"kind", "seed"},
                       {"seed", seed},
                       {"run", StringAt(input, "run")},
                       {"step", IntegerAt(input, "step", 0)}},
                      name,
                      job.script.seed_accuracy + spread,
                      0.6});
  }
  return models;
}

// Every recorded input, as if it had been compared.
Json Compared(const Json& digests) {
  Json list = Json::array();
  for (const Json& input : MemberAt(digests, "inputs")) {
    list.push_back({{"key", StringAt(input, "key")},
                    {"path", StringAt(input, "path")},
                    {"sha256", StringAt(input, "sha256")}});
  }
  return list;
}

Json Evaluation(const Job& job) {
  const std::vector<std::string> tasks =
      TaskNames(MemberAt(MemberAt(job.spec, "parameters"), "evaluation"));
  Json all_tasks = Json::array(), all_models = Json::array();
  Json scores = Json::object(), losses = Json::object(), latency = Json::object();
  for (const std::string& task : tasks) {
    all_tasks.push_back(
        {{"name", task}, {"multi_label", false}, {"items", Items(job.script, task)}});
  }
  Json samples = Json::array();
  for (int i = 0; i < 64; ++i) samples.push_back(20.0 + Philox(4, "latency", i).Uniform());
  for (const Model& model : Models(job)) {
    all_models.push_back(model.description);
    Json& of_model = scores[model.name] = Json::object();
    for (const std::string& task : tasks) {
      of_model[task] = Score(job.script, model.name, task, model.accuracy);
    }
    losses[model.name] = Losses(job.script, model.loss);
    latency[model.name] = {
        {"unit", "ms"}, {"samples", samples}, {"what", "scripted by the fake trainer"}};
  }
  return {{"version", 1},
          {"split", "test"},
          {"demonstration", true},
          {"tasks", all_tasks},
          {"models", all_models},
          {"scores", scores},
          {"loss", losses},
          {"answer_chance_loss", 1.386294361119891},
          {"inputs", Compared(MemberAt(MemberAt(job.spec, "parameters"), "digests"))},
          {"latency", latency},
          {"memory", {{"peak_rss_bytes", 1 << 20}, {"model_bytes", 1 << 19}}}};
}

// Writes one file below work_dir and reports it.
int ReportFile(const Job& job, Protocol& protocol, const std::string& name, const std::string& path,
               const std::string& content, const std::string& reported) {
  const absl::Status made = MakeDirectories(path.substr(0, path.rfind('/')));
  const absl::Status written = made.ok() ? WriteFileDurably(path, content) : made;
  if (!written.ok()) return Fail(protocol, "infrastructure", std::string(written.message()));
  protocol.Report({{"type", "artifact"}, {"name", name}, {"path", reported}});
  return 0;
}

}  // namespace

int Evaluate(const Job& job, Protocol& protocol) {
  protocol.Report({{"type", "started"}});
  for (const Json& input : MemberAt(job.spec, "inputs")) {
    if (StringAt(input, "kind") != "checkpoint") continue;
    if (!FileExists(StringAt(input, "dir") + "/adapter.bin")) {
      return Fail(protocol, "bad_input", StringAt(input, "dir") + " holds no adapter.bin");
    }
  }
  const Json evaluation = Evaluation(job);
  const std::string path = job.work_dir + "/evaluation.json";
  if (int code = ReportFile(job, protocol, "evaluation", path, evaluation.dump(), path))
    return code;
  protocol.Report(
      {{"type", "done"},
       {"summary",
        {{"items", job.script.items}, {"models", MemberAt(evaluation, "models").size()}}}});
  return 0;
}

int Export(const Job& job, Protocol& protocol) {
  protocol.Report({{"type", "started"}});
  std::string adapter = "no input";
  for (const Json& input : MemberAt(job.spec, "inputs")) {
    absl::StatusOr<std::string> content = ReadFile(StringAt(input, "dir") + "/adapter.bin");
    if (content.ok()) adapter = *content;
  }
  for (const char* name : {"adapter", "merged"}) {
    const std::string directory = job.work_dir + "/" + name;
    if (int code = ReportFile(job, protocol, name, directory + "/model.bin", adapter, directory)) {
      return code;
    }
  }
  // As after training over a quantised base.
  const Json merged_into = {{"base", "/models/base.gguf"},
                            {"trained_over", "nf4"},
                            {"validation_loss_trained", 0.5},
                            {"validation_loss_merged", 0.51}};
  protocol.Report({{"type", "done"},
                   {"summary", {{"formats", {"peft", "merged"}}, {"merged_into", merged_into}}}});
  return 0;
}

int WriteReport(const Job& job, Protocol& protocol) {
  protocol.Report({{"type", "started"}});
  const std::string directory = job.work_dir + "/report";
  const std::string page =
      "<!doctype html><title>fake report</title><p>scripted: " + job.script.decision + "</p>\n";
  if (int code = ReportFile(job, protocol, "report", directory + "/report.html", page, directory)) {
    return code;
  }
  protocol.Report({{"type", "done"},
                   {"summary",
                    {{"decision", job.script.decision},
                     {"headline", "This decision was scripted. It says nothing about a model."},
                     {"gates", Json::array()},
                     {"reason", "scripted"}}}});
  return 0;
}

}  // namespace scm::fake
