#include "trainer/protocol/spec.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "trainer/protocol/job_fields.h"
#include "trainer/protocol/job_keys.h"

namespace scm::trainer {
namespace {

void ParseInputs(const Fields& root, JobSpec* spec) {
  for (const Fields& one : root.Objects("inputs")) {
    spec->inputs.push_back({one.RequiredText("kind"), one.Text("run", ""),
                            one.Integer("seed", 0, 0), one.Integer("step", 0, 0),
                            one.RequiredText("dir")});
  }
}

void ParseEvaluate(const Fields& root, JobSpec* spec) {
  if (!root.Has("evaluate")) return;
  const Fields fields = root.Object("evaluate");
  EvaluateJob job;
  job.base = fields.Boolean("base", job.base);
  job.baselines = fields.Texts("baselines").value_or(std::vector<std::string>());
  job.latency = fields.Boolean("latency", job.latency);
  spec->evaluate = std::move(job);
}

void ParseResources(const Fields& fields, JobResources* resources) {
  resources->cpus = fields.Integer("cpus", 0, 0);
  const Json& gpus = fields.Raw("gpus");
  if (gpus.is_array()) {
    for (const Json& gpu : gpus) {
      if (gpu.is_number_integer()) resources->gpus.push_back(gpu.get<int64_t>());
    }
  } else if (!gpus.is_null()) {
    fields.Problem("gpus", "expected a list of device numbers");
  }
  if (fields.Has("gpu_share")) {
    const Fields share = fields.Object("gpu_share");
    resources->gpu_memory_ratio = share.Number("memory_ratio", 1, experiment_file::kFraction);
  }
  resources->rank = fields.Integer("rank", 0, 0);
  resources->world_size = fields.Integer("world_size", 1, 1);
  resources->elastic = fields.Boolean("elastic", false);
  if (resources->rank >= resources->world_size) {
    fields.Problem("rank", absl::StrCat("is ", resources->rank, " of ", resources->world_size,
                                        "; ranks count from 0"));
  }
  if (resources->world_size == 1) return;
  if (!fields.Has("rendezvous")) {
    return fields.Problem("world_size",
                          absl::StrCat("is ", resources->world_size,
                                       ", and rendezvous does not say where they meet"));
  }
  const Fields rendezvous = fields.Object("rendezvous");
  resources->rendezvous_host = rendezvous.RequiredText("host");
  resources->rendezvous_port = rendezvous.RequiredInteger("port", 1);
  if (resources->rendezvous_port > 65535) rendezvous.Problem("port", "there are 65535");
}

// Directories are those of each worker, and rank and devices those of each rank.
std::string CommonDigest(const Json& document) {
  Json common = Json::object();
  for (const char* key : {"protocol", "experiment", "task", "run", "attempt", "parameters",
                          "max_steps", "stop_at_step", "save_steps", "eval_steps"}) {
    common[key] = MemberAt(document, key);
  }
  common["resume_step"] = MemberAt(MemberAt(document, "resume_from"), "step");
  return Sha256Hex(DumpJson(common));
}

void ParseSteps(const Fields& root, JobSpec* spec) {
  const bool trains = IsTraining(spec->kind);
  TrainingSpec& training = spec->training;
  if (trains) {
    spec->max_steps = root.RequiredInteger("max_steps", 1);
    spec->save_steps = root.RequiredInteger("save_steps", 1);
    spec->eval_steps = root.RequiredInteger("eval_steps", 1);
    spec->stop_at_step = root.Integer("stop_at_step", spec->max_steps, 1);
    if (spec->stop_at_step > spec->max_steps) {
      root.Problem("stop_at_step",
                   absl::StrCat("is ", spec->stop_at_step, ", beyond max_steps ", spec->max_steps));
    }
    training.max_steps = spec->max_steps;
    training.save_steps = spec->save_steps;
    training.eval_steps = spec->eval_steps;
  }
  if (root.Has("resume_from")) {
    const Fields resume = root.Object("resume_from");
    spec->resume_from = ResumePoint{resume.RequiredInteger("step", 0), resume.RequiredText("dir")};
    if (trains && spec->resume_from->step > spec->stop_at_step) {
      resume.Problem("step", absl::StrCat("is ", spec->resume_from->step, ", beyond stop_at_step ",
                                          spec->stop_at_step));
    }
  }
}

// The experiment's sections, as far as a task of this kind reads them.
void ParseParameters(const Fields& parameters, JobSpec* spec) {
  namespace file = experiment_file;
  JobKeys keys(parameters);
  ModelSpec model;
  keys.Section(file::kModel, model);
  spec->model = model.base;
  // With another trainer this section may hold anything, and so may its parameters.
  const Json& command = MemberAt(parameters.Raw("trainer"), "command");
  const bool built_in = command.is_null() || command == Json::array({"scm-trainer"});
  if (IsTraining(spec->kind) || built_in) keys.Section(file::kLora, spec->lora);
  const bool exports = spec->kind == TaskKind::kExport;
  if (!exports || spec->lora.quantize_base != "none") keys.Section(file::kData, spec->data);
  keys.Section(file::kTraining, spec->training);
  std::optional<EvaluationSpec> evaluation;
  keys.Section(file::kEvaluation, evaluation);
  spec->evaluation = evaluation.value_or(EvaluationSpec{});
  keys.Section(file::kExport, spec->export_);
  spec->recorded =
      corpus::InputRecordsFromJson(parameters.Raw("digests"), spec->model, spec->data.corpus);
  if (!built_in) return;
  JobKeys trainer(parameters.Object("trainer"));
  trainer.Section(file::kTrainerParameters, spec->trainer);
}

void ParseIdentity(const Fields& root, JobSpec* spec) {
  const int64_t protocol = root.RequiredInteger("protocol", 0);
  if (root.Has("protocol") && protocol != 1) {
    root.Problem("protocol", absl::StrCat("is ", protocol, "; this trainer speaks protocol 1"));
  }
  spec->experiment_id = root.Object("experiment").Text("id", "");
  spec->experiment_name = root.Object("experiment").Text("name", "");
  const Fields task = root.Object("task");
  spec->task_id = task.Text("id", "");
  std::vector<std::string> kinds;
  for (const TaskKind kind : kAllTaskKinds) kinds.push_back(TaskKindName(kind));
  const std::string kind = task.Word("kind", task.RequiredText("kind"), kinds);
  spec->kind = TaskKindFromName(kind).value_or(spec->kind);
  if (root.Has("run")) {
    const Fields run = root.Object("run");
    spec->run_id = run.Text("id", "");
    spec->seed = static_cast<uint64_t>(run.RequiredInteger("seed", 0));
  }
  spec->attempt = root.Integer("attempt", 1, 0);
}

// All but the runs of a pack.
JobSpec ParseDocument(const Fields& root) {
  JobSpec spec;
  ParseIdentity(root, &spec);
  if (!root.Has("parameters")) root.Problem("parameters", "missing; expected an object");
  ParseParameters(root.Object("parameters"), &spec);
  ParseSteps(root, &spec);
  ParseInputs(root, &spec);
  ParseEvaluate(root, &spec);
  spec.work_dir = root.RequiredText("work_dir");
  ParseResources(root.Object("resources"), &spec.resources);
  if (spec.training.precision == "tf32" && spec.resources.gpus.empty() && IsTraining(spec.kind)) {
    root.Object("parameters")
        .Object("training")
        .Problem("precision", "tf32 is how GPUs multiply fp32, and this task has no GPU: use fp32");
  }
  if (spec.resources.world_size > 1 && spec.kind != TaskKind::kTrain) {
    root.Object("resources").Problem("world_size", "only a training has several ranks");
  }
  return spec;
}

// Names of runs become directories.
bool IsPlainName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
  return plain && !name.empty() && name[0] != '.';
}

// Each run as a work order of its own.
absl::Status ParsePack(const Json& document, const std::string& what, JobSpec* spec) {
  FieldProblems problems;
  const Fields root(document, "", &problems);
  std::set<std::string> names;
  for (const Json& run : MemberAt(document, "runs")) {
    const std::string name = StringAt(run, "id");
    if (!IsPlainName(name) || !names.insert(name).second) {
      root.Problem("runs", "each run needs an id of its own, of letters, digits, - _ and .");
      break;
    }
    Json own = document;
    own.erase("runs");
    own["run"] = run;
    for (const char* key : {"parameters", "resume_from"}) own[key] = MemberAt(run, key);
    FieldProblems of_run;
    JobSpec one = ParseDocument(Fields(own, "", &of_run));
    SCM_RETURN_IF_ERROR(of_run.ToStatus(absl::StrCat(what, ": ", name)));
    one.work_dir = absl::StrCat(spec->work_dir, "/", name);
    spec->pack.push_back(std::move(one));
  }
  if (spec->pack.empty()) root.Problem("runs", "expected a list of the runs to train");
  if (spec->resources.world_size > 1) {
    root.Problem("runs", "several runs of one process train in one rank");
  }
  if (!IsTraining(spec->kind)) root.Problem("runs", "only a training has several");
  return problems.ToStatus(what);
}

}  // namespace

absl::StatusOr<JobSpec> ParseJobSpec(absl::string_view text, const std::string& what) {
  SCM_ASSIGN_OR_RETURN(const Json document, ParseJson(text, what));
  FieldProblems problems;
  const Fields root(document, "", &problems);
  JobSpec spec = ParseDocument(root);
  SCM_RETURN_IF_ERROR(problems.ToStatus(what));
  spec.digest = CommonDigest(document);
  if (root.Has("runs")) SCM_RETURN_IF_ERROR(ParsePack(document, what, &spec));
  return spec;
}

}  // namespace scm::trainer
