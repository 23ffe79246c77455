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

Json RunJson(const Run& run) {
  return {{"id", run.id.str()},
          {"trial", run.trial.empty() ? Json(nullptr) : Json(run.trial.str())},
          {"seed", run.seed}};
}

Json ResumeJson(const SpecRun& run) {
  if (!run.resume) return nullptr;
  return {{"step", run.resume->first}, {"dir", absl::StrCat("scm:", run.resume->second)}};
}

// The experiment's sections with these values applied, on this candidate model.
absl::StatusOr<ExperimentSpec> SpecWith(const ExperimentSpec& given, const Json& parameters,
                                        int64_t model_index) {
  ExperimentSpec spec = given;
  if (parameters.is_object() && !parameters.empty()) {
    SCM_ASSIGN_OR_RETURN(spec, ApplyParameters(spec, parameters));
  }
  if (spec.model && model_index > 0) TakeModel(spec, core::CandidateModel(spec, model_index));
  return spec;
}

// Each run of a pack, by which reports and commands about it are named.
absl::StatusOr<Json> PackJson(const ExperimentSpec& given, const std::vector<SpecRun>& runs) {
  Json list = Json::array();
  for (const SpecRun& one : runs) {
    SCM_ASSIGN_OR_RETURN(const ExperimentSpec spec,
                         SpecWith(given, one.run->parameters, one.run->model_index));
    Json json = RunJson(*one.run);
    json["parameters"] = SpecToJson(spec);
    json["resume_from"] = ResumeJson(one);
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace

absl::StatusOr<Json> BuildSpec(const SpecParts& parts) {
  const ExperimentSpec& given = *parts.experiment->spec;
  const bool packed = !parts.task->pack.empty();
  const Run* run = parts.runs.empty() ? nullptr : parts.runs.front().run;
  SCM_ASSIGN_OR_RETURN(const ExperimentSpec spec,
                       SpecWith(given, run != nullptr ? run->parameters : parts.experiment->winner,
                                run != nullptr ? run->model_index : parts.model_index));
  const bool solo = run != nullptr && !packed;
  const TrainingSpec& training = spec.training;
  Json json{{"protocol", 1},
            {"experiment", {{"id", parts.experiment->id.str()}, {"name", parts.experiment->name}}},
            {"task", {{"id", parts.task->id.str()}, {"kind", TaskKindName(parts.task->kind)}}},
            {"run", solo ? RunJson(*run) : Json(nullptr)},
            {"attempt", parts.attempt},
            {"parameters", SpecToJson(spec)},
            {"max_steps", run != nullptr ? run->max_steps : training.max_steps},
            {"stop_at_step", run != nullptr ? run->stop_at_step : training.max_steps},
            {"save_steps", training.save_steps},
            {"eval_steps", training.eval_steps},
            {"resume_from", solo ? ResumeJson(parts.runs.front()) : Json(nullptr)},
            {"inputs", InputsJson(parts.inputs)},
            {"evaluate", EvaluateJson(parts.task->part)},
            {"work_dir", ""},
            {"resources",
             {{"cpus", spec.resources.cpus},
              {"gpus", parts.gpus},
              {"gpu_share", nullptr},
              {"rank", 0},
              {"world_size", 1},
              {"rendezvous", nullptr},
              {"elastic", spec.resources.elastic}}}};
  if (packed) {
    SCM_ASSIGN_OR_RETURN(json["runs"], PackJson(given, parts.runs));
  }
  return json;
}

}  // namespace scm::controller
