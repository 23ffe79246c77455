#include "trainer/protocol/spec.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "trainer/protocol/job_fields.h"

namespace scm::trainer {
namespace {

constexpr double kHuge = 1e12;

void ParseData(const Fields& fields, DataSpec* data) {
  data->corpus = fields.RequiredText("corpus");
  const Fields split = fields.Object("split");
  data->split.train = split.Number("train", data->split.train, 0, 1);
  data->split.validation = split.Number("validation", data->split.validation, 0, 1);
  data->split.test = split.Number("test", data->split.test, 0, 1);
  data->split.by = split.Word("by", data->split.by, {"document"});
  data->split.seed = split.Integer("seed", data->split.seed, 0);
  data->max_length = fields.Integer("max_length", data->max_length, 8, 1 << 20);
  data->packing = fields.Boolean("packing", data->packing);
  data->special_tokens = fields.Word("special_tokens", data->special_tokens, {"text", "parse"});
  // A coordinator from before the key meant no end token.
  data->end_token = fields.Boolean("end_token", false);
}

void ParseLora(const Fields& fields, LoraSpec* lora) {
  lora->r = fields.Integer("r", lora->r, 1, 4096);
  lora->alpha = fields.Number("alpha", lora->alpha, 0, kHuge);
  lora->dropout = fields.Number("dropout", lora->dropout, 0, 0.999);
  lora->target_modules = fields.Texts("target_modules", lora->target_modules);
  if (lora->target_modules.empty()) fields.Problem("target_modules", "names no module");
  lora->quantize_base = fields.Text("quantize_base", lora->quantize_base);
  if (lora->quantize_base != "none") {
    fields.Problem("quantize_base", absl::StrCat("\"", lora->quantize_base,
                                                 "\" is not supported by this trainer; use none"));
  }
}

void ParseEarlyStopping(const Fields& training, TrainingSpec* spec) {
  const Json& value = training.Raw("early_stopping");
  if (value.is_null() || value == Json("none")) {
    spec->early_stopping = std::nullopt;
    return;
  }
  const Fields fields = training.Object("early_stopping");
  EarlyStoppingSpec rule;
  rule.patience = fields.Integer("patience", rule.patience, 1);
  rule.min_delta = fields.Number("min_delta", rule.min_delta, 0, kHuge);
  spec->early_stopping = rule;
}

void ParseTraining(const Fields& fields, TrainingSpec* training) {
  training->learning_rate = fields.Number("learning_rate", training->learning_rate, 0, kHuge);
  training->schedule =
      fields.Word("schedule", training->schedule, {"linear", "cosine", "constant"});
  training->batch_size = fields.Integer("batch_size", training->batch_size, 1, 1 << 20);
  training->gradient_accumulation =
      fields.Integer("gradient_accumulation", training->gradient_accumulation, 1, 1 << 20);
  training->warmup_steps = fields.Integer("warmup_steps", training->warmup_steps, 0);
  training->loss_on = fields.Word("loss_on", training->loss_on, {"answer", "all"});
  training->weight_decay = fields.Number("weight_decay", training->weight_decay, 0, kHuge);
  training->max_grad_norm = fields.Number("max_grad_norm", training->max_grad_norm, 0, kHuge);
  training->precision = fields.Word("precision", training->precision, {"bf16", "fp32"});
  ParseEarlyStopping(fields, training);
}

void ParseEvaluation(const Fields& fields, FieldProblems* problems, EvaluationSpec* evaluation) {
  evaluation->tasks = fields.Texts("tasks", {});
  const Json& baselines = fields.Raw("baselines");
  if (!baselines.is_null() && !baselines.is_array()) {
    fields.Problem("baselines", "expected a list");
  } else {
    for (size_t i = 0; i < baselines.size(); ++i) {
      const Fields one(baselines[i], absl::StrCat(fields.Path("baselines"), "[", i, "]"), problems);
      evaluation->baselines.push_back(
          {one.RequiredText("name"), one.Text("model", ""), one.Text("predictions", "")});
    }
  }
  if (fields.Has("primary")) {
    const Fields primary = fields.Object("primary");
    evaluation->primary = PrimarySpec{primary.Text("task", ""), primary.Text("baseline", "")};
  }
}

void ParseInputs(const Fields& root, FieldProblems* problems, JobSpec* spec) {
  const Json& inputs = root.Raw("inputs");
  if (inputs.is_null()) return;
  if (!inputs.is_array()) return root.Problem("inputs", "expected a list");
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Fields one(inputs[i], absl::StrCat("inputs[", i, "]"), problems);
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
  job.baselines = fields.Texts("baselines", {});
  job.latency = fields.Boolean("latency", job.latency);
  spec->evaluate = std::move(job);
}

void ParseResources(const Fields& fields, JobResources* resources) {
  resources->cpus = fields.Integer("cpus", 0, 0, 4096);
  const Json& gpus = fields.Raw("gpus");
  if (gpus.is_array()) {
    for (const Json& gpu : gpus) {
      if (gpu.is_number_integer()) resources->gpus.push_back(gpu.get<int64_t>());
    }
  } else if (!gpus.is_null()) {
    fields.Problem("gpus", "expected a list of device numbers");
  }
  resources->rank = fields.Integer("rank", 0, 0);
  resources->world_size = fields.Integer("world_size", 1, 1);
  if (resources->world_size > 1) {
    fields.Problem("world_size", "this trainer runs on one device; expected 1");
  }
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

void ParseParameters(const Fields& parameters, FieldProblems* problems, JobSpec* spec) {
  spec->model = parameters.Object("model").RequiredText("base");
  if (spec->kind != TaskKind::kExport) ParseData(parameters.Object("data"), &spec->data);
  // Of interest to whoever trains; with another trainer the section may hold anything.
  if (IsTraining(spec->kind)) ParseLora(parameters.Object("lora"), &spec->lora);
  ParseTraining(parameters.Object("training"), &spec->training);
  ParseEvaluation(parameters.Object("evaluation"), problems, &spec->evaluation);
  spec->export_.formats = parameters.Object("export").Texts("formats", {"peft", "merged"});
  spec->recorded =
      corpus::InputRecordsFromJson(parameters.Raw("digests"), spec->model, spec->data.corpus);
  const Json& command = MemberAt(parameters.Raw("trainer"), "command");
  // Another trainer's parameters mean something else.
  if (!command.is_null() && command != Json::array({"scm-trainer"})) return;
  const Fields own = parameters.Object("trainer").Object("parameters");
  TrainerParameters& trainer = spec->trainer;
  trainer.max_validation_items =
      own.Integer("max_validation_items", trainer.max_validation_items, 1);
  trainer.score_tokens = own.Integer("score_tokens", trainer.score_tokens, 1);
  trainer.train_tasks = own.Texts("train_tasks", {});
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

}  // namespace

absl::StatusOr<JobSpec> ParseJobSpec(absl::string_view text, const std::string& what) {
  SCM_ASSIGN_OR_RETURN(const Json document, ParseJson(text, what));
  FieldProblems problems;
  const Fields root(document, "", &problems);
  JobSpec spec;
  ParseIdentity(root, &spec);
  if (!root.Has("parameters")) root.Problem("parameters", "missing; expected an object");
  ParseParameters(root.Object("parameters"), &problems, &spec);
  ParseSteps(root, &spec);
  ParseInputs(root, &problems, &spec);
  ParseEvaluate(root, &spec);
  spec.work_dir = root.RequiredText("work_dir");
  ParseResources(root.Object("resources"), &spec.resources);
  SCM_RETURN_IF_ERROR(problems.ToStatus(what));
  return spec;
}

}  // namespace scm::trainer
