// The canonical JSON of a spec: every key with its value, in the order of the documentation.
#include <type_traits>

#include "experiment/parse.h"

namespace scm {
namespace {

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json OrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json StagesToJson(const std::vector<StageKind>& stages) {
  Json names = Json::array();
  for (StageKind stage : stages) names.push_back(StageName(stage));
  return names;
}

Json ModelToJson(const ExperimentSpec& spec) {
  if (!spec.model) return spec.opaque_model;
  return {{"base", spec.model->base}, {"fallback", OrNull(spec.model->fallback)}};
}

Json DataToJson(const ExperimentSpec& spec) {
  if (!spec.data) return spec.opaque_data;
  const SplitSpec& split = spec.data->split;
  return {{"corpus", spec.data->corpus},
          {"split",
           {{"train", split.train},
            {"validation", split.validation},
            {"test", split.test},
            {"by", split.by},
            {"seed", split.seed}}},
          {"max_length", spec.data->max_length},
          {"packing", spec.data->packing},
          {"special_tokens", spec.data->special_tokens},
          {"end_token", spec.data->end_token}};
}

Json LoraToJson(const ExperimentSpec& spec) {
  if (!spec.trainer.built_in()) return spec.opaque_lora;
  return {{"r", spec.lora.r},
          {"alpha", spec.lora.alpha},
          {"dropout", spec.lora.dropout},
          {"target_modules", spec.lora.target_modules},
          {"quantize_base", spec.lora.quantize_base}};
}

Json TrainingToJson(const TrainingSpec& training) {
  Json stopping = nullptr;
  if (training.early_stopping) {
    stopping = {{"patience", training.early_stopping->patience},
                {"min_delta", training.early_stopping->min_delta}};
  }
  return {{"learning_rate", training.learning_rate},
          {"schedule", training.schedule},
          {"batch_size", training.batch_size},
          {"gradient_accumulation", training.gradient_accumulation},
          {"max_steps", training.max_steps},
          {"warmup_steps", training.warmup_steps},
          {"save_steps", training.save_steps},
          {"eval_steps", training.eval_steps},
          {"loss_on", training.loss_on},
          {"weight_decay", training.weight_decay},
          {"max_grad_norm", training.max_grad_norm},
          {"early_stopping", stopping},
          {"precision", training.precision}};
}

// A list of two is an array of arrays to nlohmann, or an object if the first looks like a key: say
// which.
Json RangeToJson(const char* name, const Json& low, const Json& high) {
  Json range = Json::object();
  range[name] = Json::array({low, high});
  return range;
}

Json SpaceToJson(const ParameterSpace& space) {
  return std::visit(
      [](const auto& range) -> Json {
        using Range = std::decay_t<decltype(range)>;
        if constexpr (std::is_same_v<Range, Choice>) {
          Json choice = Json::object();
          choice["choice"] = range.values;
          return choice;
        } else if constexpr (std::is_same_v<Range, LogUniform>) {
          return RangeToJson("log_uniform", range.low, range.high);
        } else if constexpr (std::is_same_v<Range, Uniform>) {
          return RangeToJson("uniform", range.low, range.high);
        } else {
          return RangeToJson("int_uniform", range.low, range.high);
        }
      },
      space);
}

Json SweepToJson(const std::optional<SweepSpec>& sweep) {
  if (!sweep) return nullptr;
  Json space = Json::object();
  for (const auto& [key, range] : sweep->space) space[key] = SpaceToJson(range);
  return {{"search", sweep->search}, {"metric", sweep->metric},
          {"mode", sweep->mode},     {"max_trials", sweep->max_trials},
          {"rungs", sweep->rungs},   {"eta", sweep->eta},
          {"seed", sweep->seed},     {"space", space}};
}

Json AbortToJson(const AbortSpec& abort) {
  Json no_convergence = nullptr, below_random = nullptr, stalled = nullptr;
  if (abort.no_convergence) {
    no_convergence = {{"after_step", abort.no_convergence->after_step},
                      {"min_loss_reduction", abort.no_convergence->min_loss_reduction}};
  }
  if (abort.below_random) {
    below_random = {{"after_step", abort.below_random->after_step},
                    {"false_abort", abort.below_random->false_abort}};
  }
  if (abort.stalled) stalled = Json{{"minutes", abort.stalled->minutes}};
  return {{"no_convergence", no_convergence},
          {"below_random", below_random},
          {"non_finite", abort.non_finite},
          {"stalled", stalled}};
}

Json BudgetToJson(const std::optional<BudgetSpec>& budget) {
  if (!budget) return nullptr;
  Json gpu_hour = Json::object();
  for (const auto& [gpu, rate] : budget->gpu_hour) gpu_hour[gpu] = rate;
  return {{"limit", budget->limit},
          {"currency", budget->currency},
          {"gpu_hour", gpu_hour},
          {"cpu_hour", OrNull(budget->cpu_hour)}};
}

Json TimelineToJson(const std::optional<TimelineSpec>& timeline) {
  if (!timeline) return nullptr;
  return {{"finish_by", absl::FormatCivilTime(timeline->finish_by)},
          {"max_slip_days", timeline->max_slip_days}};
}

Json EvaluationToJson(const std::optional<EvaluationSpec>& evaluation) {
  if (!evaluation) return nullptr;
  Json baselines = Json::array();
  for (const BaselineSpec& baseline : evaluation->baselines) {
    Json json = Json::object();
    json["name"] = baseline.name;
    json["model"] = OrNull(baseline.model);
    json["predictions"] = OrNull(baseline.predictions);
    baselines.push_back(json);
  }
  Json primary = nullptr;
  if (evaluation->primary) {
    primary = {{"task", evaluation->primary->task}, {"baseline", evaluation->primary->baseline}};
  }
  const GatesSpec& gates = evaluation->gates;
  return {{"tasks", evaluation->tasks},
          {"baselines", baselines},
          {"primary", primary},
          {"gates",
           {{"loss_reduction", OrNull(gates.loss_reduction)},
            {"accuracy", OrNull(gates.accuracy)},
            {"p_value", OrNull(gates.p_value)},
            {"latency_ms_p95", OrNull(gates.latency_ms_p95)}}}};
}

}  // namespace

Json SpecToJson(const ExperimentSpec& spec) {
  Json json = Json::object();
  json["name"] = spec.name;
  json["stages"] = StagesToJson(spec.stages);
  json["model"] = ModelToJson(spec);
  json["data"] = DataToJson(spec);
  json["lora"] = LoraToJson(spec);
  json["training"] = TrainingToJson(spec.training);
  json["trainer"] = {{"command", spec.trainer.command}, {"parameters", spec.trainer.parameters}};
  json["check"] = Json{{"steps", spec.check.steps}};
  json["sweep"] = SweepToJson(spec.sweep);
  json["replicate"] = Json{{"seeds", spec.replicate.seeds}};
  json["abort"] = AbortToJson(spec.abort);
  json["budget"] = BudgetToJson(spec.budget);
  json["timeline"] = TimelineToJson(spec.timeline);
  json["retries"] = Json{{"max", spec.retries.max}};
  json["resources"] = {{"gpus", spec.resources.gpus},
                       {"cpus", spec.resources.cpus},
                       {"priority", spec.resources.priority}};
  if (spec.resources.ranks > 1) json["resources"]["ranks"] = spec.resources.ranks;
  json["evaluation"] = EvaluationToJson(spec.evaluation);
  json["export"] = nullptr;
  if (spec.export_) json["export"] = Json{{"formats", spec.export_->formats}};
  json["digests"] = spec.digests;
  return json;
}

}  // namespace scm
