// What the store keeps of each record, once: `Describe(visit, record)` calls visit(key, member) for
// every member, in the order of the JSON body. Writer, reader and tests walk it; how each kind of
// member is written is said in coordinator/state/persist.cc. A new field is a member of the record
// and a line here: older bodies, which lack the key, leave it at its default. Tests find a member
// that is not described, and one that a restart loses. Pure.
#pragma once

#include <concepts>
#include <type_traits>

#include "coordinator/core/model.h"

namespace scm::state {

// The record itself, const or not.
template <typename T, typename Record>
concept Of = std::same_as<std::remove_const_t<T>, Record>;

// visit(kNotStored, member): known only while the coordinator runs.
struct NotStored {};
inline constexpr NotStored kNotStored;

void Describe(auto& visit, Of<StageRecord> auto& s) {
  visit("name", s.kind), visit("state", s.state), visit("gate", s.gate), visit("reason", s.reason);
  visit("started_at", s.started_at), visit("ended_at", s.ended_at);
}

void Describe(auto& visit, Of<Experiment> auto& e) {
  visit("id", e.id), visit("name", e.name), visit("state", e.state), visit("reason", e.reason);
  visit("decision", e.decision), visit("headline", e.headline);
  visit("submitted_at", e.submitted_at), visit("ended_at", e.ended_at), visit("source", e.source);
  visit("warnings", e.warnings), visit("spec", e.spec), visit("stages", e.stages);
  visit("search", e.search.value), visit("stopping", e.stopping), visit("stop_rule", e.stop_rule);
  visit("stop_text", e.stop_text), visit("winner", e.winner), visit("winner_trial", e.winner_trial);
  visit("budget_warned", e.budget_warned), visit("slip_warned", e.slip_warned);
  visit("last_abort_rule", e.last_abort_rule), visit("last_abort", e.last_abort);
}

void Describe(auto& visit, Of<Trial> auto& t) {
  visit("id", t.id), visit("experiment", t.experiment), visit("parameters", t.parameters);
  visit("run", t.run), visit("exited", t.exited);
}

// By position: a list of values, without keys.
void Describe(auto& visit, Of<ValidationRecord> auto& v) {
  visit("step", v.step), visit("attempt", v.attempt), visit("loss", v.loss);
  visit("accuracy", v.accuracy), visit("correct", v.correct), visit("items", v.items);
  visit("chance", v.chance), visit("deff", v.deff), visit("ranked", v.ranked);
}

void Describe(auto& visit, Of<RunWarning> auto& w) {
  visit("topic", w.topic), visit("rule", w.rule), visit("step", w.step), visit("text", w.text);
}

void Describe(auto& visit, Of<Run> auto& r) {
  visit("id", r.id), visit("experiment", r.experiment), visit("stage", r.stage);
  visit("trial", r.trial), visit("task", r.task), visit("seed", r.seed);
  visit("parameters", r.parameters), visit("max_steps", r.max_steps);
  visit("stop_at_step", r.stop_at_step), visit("step", r.step), visit("latest", r.latest);
  visit("tokens_total", r.tokens_total), visit("validations", r.validations);
  visit("warnings", r.warnings), visit("metric_names", r.metric_names);
  visit("names_refused", r.names_refused), visit("metric_missing", r.metric_missing);
  visit("searched_step", r.searched_step), visit("resumes", r.resumes);
  visit("best_step", r.best_step), visit("model_index", r.model_index);
}

void Describe(auto& visit, Of<Lease> auto& l) {
  visit("id", l.id), visit("worker", l.worker), visit("gpus", l.gpus), visit("ended", l.ended);
  visit("report_offset", l.report_offset), visit("ending", l.ending);
}

void Describe(auto& visit, Of<Attempt> auto& a) {
  visit("epoch", a.epoch), visit("granted_at", a.granted_at), visit("unheard_ns", a.unheard);
  visit("ranks", a.ranks), visit("shared_seconds", a.shared_seconds);
  visit("shared_cost", a.shared_cost);
}

void Describe(auto& visit, Of<PackedRun> auto& p) {
  visit("run", p.run), visit("state", p.state), visit("stop_reason", p.stop_reason);
  visit("rule", p.rule), visit("censored", p.censored), visit("reason", p.reason);
  visit("ended_at", p.ended_at), visit("seconds", p.seconds), visit("cost", p.cost);
  visit("ending", p.ending), visit("summary", p.summary);
}

void Describe(auto& visit, Of<core::EvaluationPart> auto& p) {
  visit("name", p.name), visit("base", p.base), visit("run", p.run);
  visit("baselines", p.baselines), visit("latency", p.latency);
}

void Describe(auto& visit, Of<Task> auto& t) {
  visit("id", t.id), visit("experiment", t.experiment), visit("stage", t.stage);
  visit("kind", t.kind), visit("run", t.run), visit("order", t.order), visit("part", t.part);
  visit("state", t.state), visit("stop_reason", t.stop_reason), visit("rule", t.rule);
  visit("censored", t.censored), visit("reason", t.reason), visit("attempts", t.attempts);
  visit("retries_spent", t.retries_spent);
  visit("epoch", t.epoch), visit("lease", t.attempt), visit("not_before", t.not_before);
  visit("avoid", t.avoid), visit("progressed", t.progressed), visit("created_at", t.created_at);
  visit("started_at", t.started_at), visit("ended_at", t.ended_at), visit("seconds", t.seconds);
  visit("cost", t.cost), visit("report_offset", t.report_offset);
  visit("last_report", t.last_report), visit("ending", t.ending), visit("summary", t.summary);
  visit("progress", t.progress), visit("progress_total", t.progress_total), visit("pack", t.pack);
}

void Describe(auto& visit, Of<GpuRecord> auto& g) {
  visit("index", g.index), visit("model", g.model), visit("product", g.product);
  visit("memory_bytes", g.memory_bytes), visit(kNotStored, g.utilization);
  visit(kNotStored, g.memory_used);
}

void Describe(auto& visit, Of<Worker> auto& w) {
  visit("id", w.id), visit("instance", w.instance), visit("key_digest", w.key_digest);
  visit("host", w.host), visit("version", w.version), visit("state", w.state);
  visit("standing", w.standing), visit("cpus", w.cpus), visit("gpus", w.gpus),
      visit("lost_gpus", w.lost_gpus);
  visit("trainers", w.trainers), visit("last_seen", w.last_seen), visit("strikes", w.strikes);
}

void Describe(auto& visit, Of<CheckpointRecord> auto& c) {
  visit("id", c.id), visit("run", c.run), visit("attempt", c.attempt), visit("step", c.step);
  visit("sha256", c.sha256), visit("path", c.path), visit("bytes", c.bytes);
  visit("files", c.files), visit("deleted", c.deleted), visit("committed_at", c.committed_at);
  visit("damage", c.damage);
}

void Describe(auto& visit, Of<ArtifactRecord> auto& a) {
  visit("id", a.id), visit("task", a.task), visit("experiment", a.experiment);
  visit("name", a.name), visit("sha256", a.sha256), visit("path", a.path);
  visit("attempt", a.attempt), visit("bytes", a.bytes), visit("files", a.files);
}

void Describe(auto& visit, Of<CertificateRecord> auto& c) {
  visit("id", c.id), visit("experiment", c.experiment), visit("run", c.run), visit("body", c.body);
}

}  // namespace scm::state
