#include "coordinator/controller/spec_builder.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/core/candidate_models.h"
#include "experiment/parse.h"

namespace scm::controller {
namespace {

Json InputsJson(const std::vector<SpecInput>& inputs) {
  Json list = Json::array();
  for (const SpecInput& input : inputs) {
    const bool of_run = !input.run.empty();
    list.push_back({{"kind", input.kind},
                    {"run", of_run ? Json(input.run) : Json(nullptr)},
                    {"seed", of_run ? Json(input.seed) : Json(nullptr)},
                    {"step", of_run ? Json(input.step) : Json(nullptr)},
                    {"dir", absl::StrCat("scm:", input.id)}});
  }
  return list;
}

Json EvaluateJson(const std::optional<core::EvaluationPart>& part) {
  if (!part) return nullptr;
  return {{"base", part->base}, {"baselines", part->baselines}, {"latency", part->latency}};
}

// The spec names another candidate as its base, and the digest of the model is then that one's.
void TakeModel(ExperimentSpec& spec, const std::string& model) {
  spec.model->base = model;
  spec.digests.erase("model");
  for (const Json& input : MemberAt(spec.digests, "inputs")) {
    if (StringAt(input, "path") == spec.model->base) {
      spec.digests["model"] = StringAt(input, "sha256");
      return;
    }
  }
}

}  // namespace

absl::StatusOr<Json> BuildSpec(const SpecParts& parts) {
  ExperimentSpec spec = *parts.experiment->spec;
  const Run* run = parts.run;
  const Json& parameters = run != nullptr ? run->parameters : parts.experiment->winner;
  if (parameters.is_object() && !parameters.empty()) {
    SCM_ASSIGN_OR_RETURN(spec, ApplyParameters(spec, parameters));
  }
  const int64_t model_index = run != nullptr ? run->model_index : parts.model_index;
  if (spec.model && model_index > 0) TakeModel(spec, core::CandidateModel(spec, model_index));
  Json run_json, resume_json;
  if (run != nullptr) {
    run_json = {{"id", run->id.str()},
                {"trial", run->trial.empty() ? Json(nullptr) : Json(run->trial.str())},
                {"seed", run->seed}};
  }
  if (parts.resume) {
    resume_json = {{"step", parts.resume->first},
                   {"dir", absl::StrCat("scm:", parts.resume->second)}};
  }
  const TrainingSpec& training = spec.training;
  return Json{
      {"protocol", 1},
      {"experiment", {{"id", parts.experiment->id.str()}, {"name", parts.experiment->name}}},
      {"task", {{"id", parts.task->id.str()}, {"kind", TaskKindName(parts.task->kind)}}},
      {"run", run_json},
      {"attempt", parts.attempt},
      {"parameters", SpecToJson(spec)},
      {"max_steps", run != nullptr ? run->max_steps : training.max_steps},
      {"stop_at_step", run != nullptr ? run->stop_at_step : training.max_steps},
      {"save_steps", training.save_steps},
      {"eval_steps", training.eval_steps},
      {"resume_from", resume_json},
      {"inputs", InputsJson(parts.inputs)},
      {"evaluate", EvaluateJson(parts.task->part)},
      {"work_dir", ""},
      {"resources",
       {{"cpus", spec.resources.cpus},
        {"gpus", parts.gpus},
        {"rank", 0},
        {"world_size", 1},
        {"rendezvous", nullptr}}}};
}

}  // namespace scm::controller
