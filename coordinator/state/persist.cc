#include "coordinator/state/persist.h"

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "experiment/parse.h"

namespace scm::state {
namespace {

Json TimeJson(absl::Time time) {
  if (time == absl::InfinitePast()) return nullptr;
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

absl::Time TimeAt(const Json& json, const char* key) {
  absl::Time time = absl::InfinitePast();
  std::string error;
  const std::string text = StringAt(json, key);
  if (!text.empty()) absl::ParseTime(absl::RFC3339_full, text, &time, &error);
  return time;
}

template <typename Id>
Id IdAt(const Json& json, const char* key) {
  return Id(StringAt(json, key));
}

absl::Status BadState(const char* what, const Json& json) {
  return absl::DataLossError(absl::StrCat(what, " ", StringAt(json, "id"),
                                          " in the store: state \"", StringAt(json, "state"),
                                          "\" is unknown"));
}

Json OptionalJson(const std::optional<double>& value) {
  return value ? JsonNumber(*value) : Json(nullptr);
}

Json ReasonJson(const std::optional<StopReason>& reason) {
  return reason ? Json(StopReasonName(*reason)) : Json(nullptr);
}

Json LeaseJson(const std::optional<Lease>& lease) {
  if (!lease) return nullptr;
  return {{"id", lease->id.str()},
          {"worker", lease->worker.str()},
          {"epoch", lease->epoch},
          {"gpus", lease->gpus},
          {"granted_at", TimeJson(lease->granted_at)},
          {"unheard_ns", absl::ToInt64Nanoseconds(lease->unheard)}};
}

Json PartJson(const std::optional<core::EvaluationPart>& part) {
  if (!part) return nullptr;
  return {{"name", part->name},
          {"base", part->base},
          {"run", part->run.str()},
          {"baselines", part->baselines},
          {"latency", part->latency}};
}

std::optional<core::EvaluationPart> PartFromJson(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  core::EvaluationPart part;
  part.name = StringAt(json, "name");
  part.base = BoolAt(json, "base", false);
  part.run = IdAt<RunId>(json, "run");
  for (const Json& name : MemberAt(json, "baselines")) {
    part.baselines.push_back(name.get<std::string>());
  }
  part.latency = BoolAt(json, "latency", false);
  return part;
}

std::optional<Lease> LeaseFromJson(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  Lease lease;
  lease.id = IdAt<LeaseId>(json, "id");
  lease.worker = IdAt<WorkerId>(json, "worker");
  lease.epoch = IntegerAt(json, "epoch", 0);
  for (const Json& gpu : MemberAt(json, "gpus")) lease.gpus.push_back(gpu.get<int>());
  lease.granted_at = TimeAt(json, "granted_at");
  lease.unheard = absl::Nanoseconds(IntegerAt(json, "unheard_ns", 0));
  return lease;
}

Json StagesJson(const std::vector<StageRecord>& stages) {
  Json list = Json::array();
  for (const StageRecord& stage : stages) {
    list.push_back({{"name", StageName(stage.kind)},
                    {"state", StateName(stage.state)},
                    {"gate", stage.gate},
                    {"reason", stage.reason},
                    {"started_at", TimeJson(stage.started_at)},
                    {"ended_at", TimeJson(stage.ended_at)}});
  }
  return list;
}

absl::Status StagesFromJson(const Json& json, std::vector<StageRecord>& stages) {
  for (const Json& item : json) {
    const auto kind = StageFromName(StringAt(item, "name"));
    const auto state = StateFromName(StringAt(item, "state"));
    if (!kind || !state) return BadState("stage", item);
    stages.push_back({*kind, *state, StringAt(item, "gate"), StringAt(item, "reason"),
                      TimeAt(item, "started_at"), TimeAt(item, "ended_at")});
  }
  return absl::OkStatus();
}

}  // namespace

Json ToJson(const Experiment& e) {
  return {{"id", e.id.str()},
          {"name", e.name},
          {"state", StateName(e.state)},
          {"reason", e.reason},
          {"decision", e.decision},
          {"headline", e.headline},
          {"submitted_at", TimeJson(e.submitted_at)},
          {"ended_at", TimeJson(e.ended_at)},
          {"source", e.source},
          {"warnings", e.warnings},
          {"spec", SpecToJson(*e.spec)},
          {"stages", StagesJson(e.stages)},
          {"search", e.search.value},
          {"stopping", ReasonJson(e.stopping)},
          {"stop_rule", e.stop_rule},
          {"stop_text", e.stop_text},
          {"winner", e.winner},
          {"winner_trial", e.winner_trial.str()},
          {"budget_warned", e.budget_warned},
          {"slip_warned", e.slip_warned},
          {"last_abort_rule", e.last_abort_rule},
          {"last_abort", TimeJson(e.last_abort)}};
}

absl::StatusOr<Experiment> ExperimentFromJson(const Json& json) {
  Experiment e;
  e.id = IdAt<ExperimentId>(json, "id");
  e.name = StringAt(json, "name");
  const auto state = StateFromName(StringAt(json, "state"));
  if (!state) return BadState("experiment", json);
  e.state = *state;
  e.reason = StringAt(json, "reason");
  e.decision = StringAt(json, "decision");
  e.headline = StringAt(json, "headline");
  e.submitted_at = TimeAt(json, "submitted_at");
  e.ended_at = TimeAt(json, "ended_at");
  e.source = StringAt(json, "source");
  for (const Json& warning : MemberAt(json, "warnings")) {
    if (warning.is_string()) e.warnings.push_back(warning.get<std::string>());
  }
  // The paths were checked at submission; a corpus that moved since must not stop a recovery.
  ParsedExperiment parsed =
      ParseExperiment(DumpJson(MemberAt(json, "spec")),
                      {.base_directory = "/", .check_paths = false, .accepted = true});
  if (!parsed.spec) {
    return absl::DataLossError(
        absl::StrCat("experiment ", e.id.str(), " in the store: its spec ",
                     parsed.errors.empty() ? "is unreadable"
                                           : absl::StrCat("has an error at ", parsed.errors[0].key,
                                                          ": ", parsed.errors[0].message)));
  }
  e.spec = std::make_shared<ExperimentSpec>(*std::move(parsed.spec));
  SCM_RETURN_IF_ERROR(StagesFromJson(MemberAt(json, "stages"), e.stages));
  e.search.value = MemberAt(json, "search");
  e.stopping = StopReasonFromName(StringAt(json, "stopping"));
  e.stop_rule = StringAt(json, "stop_rule");
  e.stop_text = StringAt(json, "stop_text");
  e.winner = MemberAt(json, "winner");
  e.winner_trial = IdAt<TrialId>(json, "winner_trial");
  e.budget_warned = BoolAt(json, "budget_warned", false);
  e.slip_warned = BoolAt(json, "slip_warned", false);
  e.last_abort_rule = StringAt(json, "last_abort_rule");
  e.last_abort = TimeAt(json, "last_abort");
  return e;
}

Json ToJson(const Trial& t) {
  return {{"id", t.id.str()},
          {"experiment", t.experiment.str()},
          {"parameters", t.parameters},
          {"run", t.run.str()},
          {"exited", t.exited}};
}

absl::StatusOr<Trial> TrialFromJson(const Json& json) {
  return Trial{IdAt<TrialId>(json, "id"), IdAt<ExperimentId>(json, "experiment"),
               MemberAt(json, "parameters"), IdAt<RunId>(json, "run"),
               BoolAt(json, "exited", false)};
}

Json ToJson(const std::vector<ValidationRecord>& validations) {
  Json list = Json::array();
  for (const ValidationRecord& v : validations) {
    list.push_back({v.step, v.attempt, OptionalJson(v.loss), OptionalJson(v.accuracy),
                    OptionalJson(v.correct), OptionalJson(v.items), OptionalJson(v.chance),
                    OptionalJson(v.deff), OptionalJson(v.ranked)});
  }
  return list;
}

absl::Status ReadValidations(const Json& list, Run& run) {
  for (const Json& v : list) {
    if (!v.is_array() || v.size() < 8 || v.size() > 9) {  // 8: without `ranked`
      return absl::DataLossError(absl::StrCat("run ", run.id.str(), ": unreadable validation"));
    }
    run.validations.Insert({v[0].get<int64_t>(), v[1].get<int64_t>(), NumberFromJson(v[2]),
                            NumberFromJson(v[3]), NumberFromJson(v[4]), NumberFromJson(v[5]),
                            NumberFromJson(v[6]), NumberFromJson(v[7]),
                            v.size() > 8 ? NumberFromJson(v[8]) : std::nullopt});
  }
  return absl::OkStatus();
}

Json ToJson(const Run& r) {
  Json latest = Json::object(), resumes = Json::array(), warnings = Json::array(),
       names = Json::array();
  for (const auto& [name, value] : r.latest) latest[name] = JsonNumber(value);
  for (const RunWarning& w : r.warnings) {
    warnings.push_back({{"topic", w.topic}, {"rule", w.rule}, {"step", w.step}, {"text", w.text}});
  }
  for (const std::string& name : r.metric_names) names.push_back(name);
  for (const auto& [attempt, step] : r.resumes) resumes.push_back({attempt, step});
  return {{"id", r.id.str()},
          {"experiment", r.experiment.str()},
          {"stage", StageName(r.stage)},
          {"trial", r.trial.str()},
          {"task", r.task.str()},
          {"seed", r.seed},
          {"parameters", r.parameters},
          {"max_steps", r.max_steps},
          {"stop_at_step", r.stop_at_step},
          {"step", r.step},
          {"latest", latest},
          {"tokens_total", r.tokens_total},
          {"warnings", warnings},
          {"metric_names", names},
          {"names_refused", r.names_refused},
          {"metric_missing", r.metric_missing},
          {"searched_step", r.searched_step},
          {"resumes", resumes},
          {"best_step", r.best_step ? Json(*r.best_step) : Json(nullptr)},
          {"fallback", r.fallback}};
}

absl::StatusOr<Run> RunFromJson(const Json& json) {
  Run r;
  r.id = IdAt<RunId>(json, "id");
  r.experiment = IdAt<ExperimentId>(json, "experiment");
  const auto stage = StageFromName(StringAt(json, "stage"));
  if (!stage) return BadState("run", json);
  r.stage = *stage;
  r.trial = IdAt<TrialId>(json, "trial");
  r.task = IdAt<TaskId>(json, "task");
  r.seed = IntegerAt(json, "seed", 0);
  r.parameters = MemberAt(json, "parameters");
  r.max_steps = IntegerAt(json, "max_steps", 0);
  r.stop_at_step = IntegerAt(json, "stop_at_step", 0);
  r.step = IntegerAt(json, "step", 0);
  const Json& latest = MemberAt(json, "latest");
  for (auto it = latest.begin(); it != latest.end(); ++it) {
    r.latest[it.key()] = NumberFromJson(it.value()).value_or(0);
    r.metric_names.insert(it.key());
  }
  r.tokens_total = NumberAt(json, "tokens_total", NumberAt(latest, "tokens", 0));
  for (const Json& name : MemberAt(json, "metric_names")) {
    if (name.is_string()) r.metric_names.insert(name.get<std::string>());
  }
  r.names_refused = BoolAt(json, "names_refused", false);
  r.metric_missing = StringAt(json, "metric_missing");
  SCM_RETURN_IF_ERROR(ReadValidations(MemberAt(json, "validations"), r));  // of an older database
  for (const Json& w : MemberAt(json, "warnings")) {
    r.warnings.push_back(
        {StringAt(w, "topic"), StringAt(w, "rule"), IntegerAt(w, "step", 0), StringAt(w, "text")});
  }
  r.searched_step = IntegerAt(json, "searched_step", 0);
  for (const Json& resume : MemberAt(json, "resumes")) {
    r.resumes.emplace_back(resume.at(0).get<int64_t>(), resume.at(1).get<int64_t>());
  }
  if (MemberAt(json, "best_step").is_number()) r.best_step = IntegerAt(json, "best_step", 0);
  r.fallback = BoolAt(json, "fallback", false);
  return r;
}

Json ToJson(const Task& t) {
  Json avoid = Json::array();
  for (const WorkerId& worker : t.avoid) avoid.push_back(worker.str());
  return {{"id", t.id.str()},
          {"experiment", t.experiment.str()},
          {"stage", StageName(t.stage)},
          {"kind", TaskKindName(t.kind)},
          {"run", t.run.str()},
          {"order", t.order},
          {"part", PartJson(t.part)},
          {"state", StateName(t.state)},
          {"stop_reason", ReasonJson(t.stop_reason)},
          {"rule", t.rule},
          {"reason", t.reason},
          {"attempts", t.attempts},
          {"retries_spent", t.retries_spent},
          {"epoch", t.epoch},
          {"lease", LeaseJson(t.lease)},
          {"not_before", TimeJson(t.not_before)},
          {"avoid", avoid},
          {"progressed", t.progressed},
          {"created_at", TimeJson(t.created_at)},
          {"started_at", TimeJson(t.started_at)},
          {"ended_at", TimeJson(t.ended_at)},
          {"seconds", t.seconds},
          {"cost", t.cost},
          {"report_offset", t.report_offset},
          {"last_report", TimeJson(t.last_report)},
          {"ending", t.ending},
          {"summary", t.summary},
          {"progress", t.progress},
          {"progress_total", t.progress_total}};
}

absl::StatusOr<Task> TaskFromJson(const Json& json) {
  Task t;
  t.id = IdAt<TaskId>(json, "id");
  t.experiment = IdAt<ExperimentId>(json, "experiment");
  const auto stage = StageFromName(StringAt(json, "stage"));
  const auto kind = TaskKindFromName(StringAt(json, "kind"));
  const auto state = StateFromName(StringAt(json, "state"));
  if (!stage || !kind || !state) return BadState("task", json);
  t.stage = *stage;
  t.kind = *kind;
  t.state = *state;
  t.run = IdAt<RunId>(json, "run");
  t.order = IntegerAt(json, "order", 0);
  t.part = PartFromJson(MemberAt(json, "part"));
  t.stop_reason = StopReasonFromName(StringAt(json, "stop_reason"));
  t.rule = StringAt(json, "rule");
  t.reason = StringAt(json, "reason");
  t.attempts = IntegerAt(json, "attempts", 0);
  t.retries_spent = IntegerAt(json, "retries_spent", 0);
  t.epoch = IntegerAt(json, "epoch", 0);
  t.lease = LeaseFromJson(MemberAt(json, "lease"));
  t.not_before = TimeAt(json, "not_before");
  for (const Json& worker : MemberAt(json, "avoid")) {
    t.avoid.insert(WorkerId(worker.get<std::string>()));
  }
  t.progressed = BoolAt(json, "progressed", false);
  t.created_at = TimeAt(json, "created_at");
  t.started_at = TimeAt(json, "started_at");
  t.ended_at = TimeAt(json, "ended_at");
  t.seconds = NumberAt(json, "seconds", 0);
  t.cost = NumberAt(json, "cost", 0);
  t.report_offset = IntegerAt(json, "report_offset", 0);
  t.last_report = TimeAt(json, "last_report");
  t.ending = MemberAt(json, "ending");
  t.summary = MemberAt(json, "summary");
  t.progress = IntegerAt(json, "progress", 0);
  t.progress_total = IntegerAt(json, "progress_total", 0);
  return t;
}

Json ToJson(const Worker& w) {
  Json gpus = Json::array();
  for (const GpuRecord& gpu : w.gpus) {
    gpus.push_back({{"index", gpu.index},
                    {"model", gpu.model},
                    {"product", gpu.product},
                    {"memory_bytes", gpu.memory_bytes}});
  }
  return {{"id", w.id.str()},
          {"instance", w.instance},
          {"key_digest", w.key_digest},
          {"host", w.host},
          {"version", w.version},
          {"state", WorkerStateName(w.state)},
          {"standing", WorkerStateName(w.standing)},
          {"cpus", w.cpus},
          {"gpus", gpus},
          {"trainers", w.trainers},
          {"last_seen", TimeJson(w.last_seen)},
          {"strikes", w.strikes}};
}

absl::StatusOr<Worker> WorkerFromJson(const Json& json) {
  Worker w;
  w.id = IdAt<WorkerId>(json, "id");
  w.instance = StringAt(json, "instance");
  w.key_digest = StringAt(json, "key_digest");
  w.host = StringAt(json, "host");
  w.version = StringAt(json, "version");
  const auto state = WorkerStateFromName(StringAt(json, "state"));
  if (!state) return BadState("worker", json);
  w.state = *state;
  // Older rows have no standing: what the state says then holds.
  w.standing = WorkerStateFromName(StringAt(json, "standing"))
                   .value_or(w.state == WorkerState::kLost ? WorkerState::kReady : w.state);
  w.cpus = IntegerAt(json, "cpus", 0);
  for (const Json& gpu : MemberAt(json, "gpus")) {
    w.gpus.push_back({static_cast<int>(IntegerAt(gpu, "index", 0)), StringAt(gpu, "model"),
                      IntegerAt(gpu, "memory_bytes", 0)});
    w.gpus.back().product = StringAt(gpu, "product");
  }
  for (const Json& trainer : MemberAt(json, "trainers")) {
    if (trainer.is_string()) w.trainers.push_back(trainer.get<std::string>());
  }
  w.last_seen = TimeAt(json, "last_seen");
  w.strikes = IntegerAt(json, "strikes", 0);
  return w;
}

Json ToJson(const CheckpointRecord& c) {
  return {{"id", c.id},           {"run", c.run.str()},
          {"attempt", c.attempt}, {"step", c.step},
          {"sha256", c.sha256},   {"path", c.path},
          {"bytes", c.bytes},     {"files", c.files},
          {"deleted", c.deleted}, {"committed_at", TimeJson(c.committed_at)},
          {"damage", c.damage}};
}

absl::StatusOr<CheckpointRecord> CheckpointFromJson(const Json& json) {
  return CheckpointRecord{
      StringAt(json, "id"),         IdAt<RunId>(json, "run"), IntegerAt(json, "attempt", 0),
      IntegerAt(json, "step", 0),   StringAt(json, "sha256"), StringAt(json, "path"),
      IntegerAt(json, "bytes", 0),  MemberAt(json, "files"),  BoolAt(json, "deleted", false),
      TimeAt(json, "committed_at"), StringAt(json, "damage")};
}

Json ToJson(const ArtifactRecord& a) {
  return {{"id", a.id},           {"task", a.task.str()}, {"experiment", a.experiment.str()},
          {"name", a.name},       {"sha256", a.sha256},   {"path", a.path},
          {"attempt", a.attempt}, {"bytes", a.bytes},     {"files", a.files}};
}

absl::StatusOr<ArtifactRecord> ArtifactFromJson(const Json& json) {
  return ArtifactRecord{StringAt(json, "id"),
                        IdAt<TaskId>(json, "task"),
                        IdAt<ExperimentId>(json, "experiment"),
                        StringAt(json, "name"),
                        StringAt(json, "sha256"),
                        StringAt(json, "path"),
                        IntegerAt(json, "attempt", 0),
                        IntegerAt(json, "bytes", 0),
                        MemberAt(json, "files")};
}

Json ToJson(const CertificateRecord& c) {
  return {{"id", c.id.str()},
          {"experiment", c.experiment.str()},
          {"run", c.run.str()},
          {"body", c.body}};
}

absl::StatusOr<CertificateRecord> CertificateFromJson(const Json& json) {
  return CertificateRecord{IdAt<CertificateId>(json, "id"), IdAt<ExperimentId>(json, "experiment"),
                           IdAt<RunId>(json, "run"), MemberAt(json, "body")};
}

}  // namespace scm::state
