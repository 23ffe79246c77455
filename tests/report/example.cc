#include "tests/report/example.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/rng.h"

namespace scm::report {
namespace {

constexpr const char* kTasks[] = {"legal_reasoning", "jurisdiction_classification"};
const std::vector<std::string> kAnswers = {"Argentina", "Chile", "España", "Uruguay"};

Json Point(int step, const char* name, double value) {
  return {{"attempt", 1}, {"step", step}, {"name", name}, {"value", JsonNumber(value)}};
}

Json CurveJson(int seed, int last) {
  Json points = Json::array();
  for (int step = 0; step <= last; step += 50) {
    Philox rng(static_cast<uint64_t>(seed), "curve", static_cast<uint64_t>(step));
    const double learnt = 1 - std::exp(-step / 400.0);
    points.push_back(Point(step, "validation_loss", 1.45 - 0.85 * learnt + 0.02 * rng.Normal()));
    points.push_back(
        Point(step, "validation_accuracy", 0.3 + 0.42 * learnt + 0.015 * rng.Normal()));
    points.push_back(Point(step, "train_loss", 1.3 - 0.9 * learnt));
  }
  return points;
}

Json Run(const ExampleOptions& o, int seed) {
  const bool aborted = seed == o.aborted_seed, failed = seed == o.failed_seed;
  const int last = aborted ? 1000 : failed ? 600 : 2000;
  return {{"id", absl::StrCat("r-", seed)},
          {"stage", "replicate"},
          {"trial", "t-3"},
          {"seed", seed},
          {"state", aborted  ? "ABORTED"
                    : failed ? "FAILED"
                             : "SUCCEEDED"},
          {"rule", aborted ? Json("no_convergence") : Json(nullptr)},
          {"reason", aborted  ? "no convergence: the best loss reduction is 0.02"
                     : failed ? o.user_text
                              : "finished"},
          {"step", last},
          {"max_steps", 2000},
          {"stop_at_step", 2000},
          {"attempts", failed ? 5 : 1},
          {"parameters", {{"training.learning_rate", 0.0003}}},
          {"seconds", 3600.0 * last / 2000},
          {"cost", 6.2 * last / 2000},
          {"chance", 0.25},
          {"points", CurveJson(seed, last)},
          {"best_checkpoint",
           {{"id", absl::StrCat("r-", seed, "/1900")}, {"step", 1900}, {"sha256", "ab12"}}},
          {"fallback", false}};
}

Json Certificate(const std::string& id, const std::string& subject, int step, double money) {
  return {{"id", id},
          {"rule", "no_convergence"},
          {"subject", subject},
          {"step", step},
          {"seen", "validation loss 1.45 before training; 1.44, 1.44 … 1.43 after it"},
          {"threshold", "best reduction, with its margin, 0.02 < 0.05"},
          {"confidence", "the nominal rate of a false abort is 1 % (white noise)"},
          {"saved",
           {{"steps", 2000 - step}, {"seconds", 1860.0}, {"money", money}, {"currency", "USD"}}}};
}

Json SweepRun(const ExampleOptions& o) {
  return {{"id", "r-7"},
          {"stage", "sweep"},
          {"trial", "t-1"},
          {"seed", 1},
          {"state", "ABORTED"},
          {"rule", "no_convergence"},
          {"reason", "no convergence: the best loss reduction by step 1000 is −0.31"},
          {"step", 1000},
          {"max_steps", 2000},
          {"attempts", 1},
          {"parameters", {{"training.learning_rate", 1.0}, {"note", o.user_text}}},
          {"seconds", 1860.0},
          {"cost", 1.9},
          {"points", Json::array()}};
}

Json Trial(const char* trial, const char* run, double rate, const Json& value, int step,
           const char* state, const char* reason) {
  return {{"trial", trial},
          {"run", run},
          {"value", value},
          {"value_step", value.is_null() ? Json(nullptr) : Json(step)},
          {"parameters", {{"training.learning_rate", rate}}},
          {"state", state},
          {"step", step},
          {"stop_at_step", 2000},
          {"reason", reason}};
}

Json SweepJson() {
  return {{"search", "asha"},
          {"metric", "validation_loss"},
          {"mode", "min"},
          {"winner", "t-3"},
          {"trials",
           {Trial("t-3", "r-9", 0.0003, 0.62, 2000, "SUCCEEDED", "finished"),
            Trial("t-2", "r-8", 0.00001, 1.31, 500, "SUCCEEDED", "rung 500: not in the best third"),
            Trial("t-1", "r-7", 1.0, nullptr, 1000, "ABORTED", "no convergence")}}};
}

Json DataCheckJson(const ExampleOptions& o) {
  return {
      {"version", 1},
      {"findings",
       {{{"severity", "warning"},
         {"check", "label_balance"},
         {"message", "task legal_reasoning: 61 % of the items have the answer \"yes\""},
         {"count", 1}},
        {{"severity", "warning"},
         {"check", "containment"},
         {"message", "66 of 91 test prompts share a run of 13 words with training text, first q-1"},
         {"count", 66}}}},
      {"summary",
       {{"splits",
         {{"documents", {{"train", 80}, {"validation", 10}, {"test", 10}}},
          {"items",
           {{"train", 340},
            {"validation", 40},
            {"test", 2 * o.clusters * o.items_per_cluster}}}}}}}};
}

// The parts of the canonical form that the report looks at.
Json SpecJson(const ExampleOptions& o, const Json& gates) {
  return {
      {"model", {{"base", "/models/base-1b.gguf"}, {"fallback", nullptr}}},
      {"lora",
       {{"r", 16}, {"alpha", 32}, {"dropout", 0.1}, {"target_modules", {"q_proj", "v_proj"}}}},
      {"training",
       {{"learning_rate", 0.0002},
        {"batch_size", 4},
        {"gradient_accumulation", 1},
        {"max_steps", 2000},
        {"loss_on", "answer"},
        {"precision", "bf16"}}},
      {"trainer",
       {{"command",
         o.built_in ? Json::array({"scm-trainer"}) : Json::array({"python3", "train.py"})},
        {"parameters", Json::object()}}},
      {"abort", {{"no_convergence", {{"after_step", 1000}, {"min_loss_reduction", 0.05}}}}},
      {"evaluation",
       {{"primary", {{"task", "legal_reasoning"}, {"baseline", "base-1b"}}}, {"gates", gates}}}};
}

Json ArtifactJson(const char* name, int64_t bytes) {
  return {{"id", absl::StrCat("k-9/", name)},
          {"name", name},
          {"task", "k-9"},
          {"kind", "export"},
          {"bytes", bytes}};
}

// How often each item is answered depends on its cluster, on itself and on the model.
double Difficulty(const std::string& task, int cluster, int item) {
  const double of_cluster = Philox(1, "cluster " + task, static_cast<uint64_t>(cluster)).Uniform();
  const double own = Philox(1, "item " + task, static_cast<uint64_t>(item)).Uniform();
  return 0.3 * of_cluster + 0.7 * own;
}

Json Items(const ExampleOptions& o, const std::string& task) {
  Json items = Json::array();
  for (int c = 0; c < o.clusters; ++c) {
    for (int k = 0; k < o.items_per_cluster; ++k) {
      const int i = c * o.items_per_cluster + k;
      std::vector<std::string> texts = kAnswers;
      if (task == "jurisdiction_classification" && o.closed_answers) {
        std::rotate(texts.begin(), texts.begin() + i % 4, texts.end());
      } else {
        for (size_t t = 0; t < texts.size(); ++t) texts[t] = absl::StrCat("answer ", i, ".", t);
      }
      items.push_back({{"id", absl::StrCat(task, "-", i)},
                       {"document", absl::StrCat("d-", c)},
                       {"cluster", absl::StrCat("c-", c)},
                       {"jurisdiction", "AR"},
                       {"choices", 4},
                       {"texts", texts},
                       {"gold", (i * 7 + c) % 4}});
    }
  }
  return items;
}

Json Scores(const ExampleOptions& o, const std::string& task, const std::string& model,
            double accuracy) {
  Json predicted = Json::array(), correct = Json::array();
  for (int i = 0; i < o.clusters * o.items_per_cluster; ++i) {
    const int c = i / o.items_per_cluster, gold = (i * 7 + c) % 4;
    const double luck = Philox(2, model + task, static_cast<uint64_t>(i)).Uniform();
    const bool right = 0.7 * Difficulty(task, c, i) + 0.3 * luck < accuracy;
    predicted.push_back(right ? gold : (gold + 1 + i % 3) % 4);
    correct.push_back(right ? 1 : 0);
  }
  return {{"predicted", predicted}, {"correct", correct}};
}

Json Losses(const ExampleOptions& o, const std::string& model, double loss) {
  Json documents = Json::array();
  for (int c = 0; c < o.clusters; ++c) {
    Philox rng(3, model, static_cast<uint64_t>(c));
    const double answers = 2 * o.items_per_cluster;
    documents.push_back({{"document", absl::StrCat("d-", c)},
                         {"loss_sum", answers * loss * (1 + 0.15 * rng.Uniform())},
                         {"answers", 2 * o.items_per_cluster}});
  }
  return {{"documents", documents}};
}

}  // namespace

Json ExampleData(const ExampleOptions& o) {
  Json runs = {SweepRun(o)};
  Json certificates = {Certificate("c-1", "r-7", 1000, 1.27)};
  for (const int seed : o.seeds) {
    runs.push_back(Run(o, seed));
    if (seed == o.aborted_seed) {
      certificates.push_back(Certificate("c-2", absl::StrCat("r-", seed), 1000, 3.1));
    }
  }
  Json gates = {
      {"loss_reduction", 0.5}, {"accuracy", 0.6}, {"p_value", 0.05}, {"latency_ms_p95", 150}};
  if (!o.gates) gates = Json::object();
  return {
      {"version", 1},
      {"experiment",
       {{"id", "e-4"},
        {"name", o.name},
        {"state", "RUNNING"},
        {"submitted_at", "2026-11-02T09:30:00.000Z"},
        {"scm_version", "0.1.0"},
        {"digests", {{"model", "5e1f"}, {"corpus", "77aa"}}},
        {"spec", SpecJson(o, gates)},
        {"source", absl::StrCat("name: ", o.name, "\nnote: |\n  ```\n  ", o.user_text, "\n")},
        {"winner", {{"training.learning_rate", 0.0003}}}}},
      {"cost",
       {{"currency", "USD"},
        {"total", 61.4},
        {"budget", 200.0},
        {"saved_by_aborts", 1.27},
        {"saved_seconds", 1860.0}}},
      {"stages",
       {{{"name", "sweep"}, {"state", "SUCCEEDED"}, {"gate", "passed"}, {"reason", "r-3 is best"}},
        {{"name", "replicate"},
         {"state", "SUCCEEDED"},
         {"gate", "passed"},
         {"reason", o.user_text}}}},
      {"runs", runs},
      {"sweep", SweepJson()},
      {"data_check", DataCheckJson(o)},
      {"warnings", {"12 of 340 train examples are longer than data.max_length 512"}},
      {"export",
       {{"task", "k-9"},
        {"state", "SUCCEEDED"},
        {"formats", {"peft", "merged"}},
        {"run", absl::StrCat("r-", o.seeds.empty() ? 0 : o.seeds[0])},
        {"seed", o.seeds.empty() ? 0 : o.seeds[0]},
        {"step", 1900}}},
      {"artifacts", {ArtifactJson("adapter", 3'100'000), ArtifactJson("merged", 270'000'000)}},
      {"certificates", certificates},
      {"events", Json::array()}};
}

Json ExampleEvaluation(const ExampleOptions& o) {
  Json tasks = Json::array(), scores = Json::object(), losses = Json::object();
  Json models = {{{"name", "base-1b"}, {"kind", "base"}}};
  Json latency = Json::object(), samples = Json::array();
  for (int i = 0; i < o.latency_samples; ++i) {
    samples.push_back(80 + 30 * Philox(4, "latency", static_cast<uint64_t>(i)).Uniform());
  }
  latency["base-1b"] = {{"unit", "ms"}, {"samples", samples}, {"what", o.user_text}};
  losses["base-1b"] = Losses(o, "base-1b", o.base_loss);
  for (const char* task : kTasks) {
    tasks.push_back({{"name", task}, {"multi_label", false}, {"items", Items(o, task)}});
    scores["base-1b"][task] = Scores(o, task, "base-1b", o.base_accuracy);
  }
  bool first = true;
  for (const int seed : o.seeds) {
    if (seed == o.aborted_seed || seed == o.failed_seed) continue;
    const std::string name = absl::StrCat("seed ", seed);
    models.push_back({{"name", name},
                      {"kind", "seed"},
                      {"seed", seed},
                      {"run", absl::StrCat("r-", seed)},
                      {"step", 1900}});
    const double spread = 0.03 * (Philox(5, name, 0).Uniform() - 0.5);
    for (const char* task : kTasks) {
      const bool other = o.other_gain != 0 && task != std::string(kTasks[0]);
      scores[name][task] = Scores(
          o, task, name, (other ? o.base_accuracy + o.other_gain : o.seed_accuracy) + spread);
    }
    losses[name] = Losses(o, name, o.seed_loss * (1 + spread));
    if (first) {
      latency[name] = {{"unit", "ms"},
                       {"samples", samples},
                       {"what", "one item, batch 1, tokenisation included"}};
      if (o.latency_items > 0) latency[name]["items"] = o.latency_items;
    }
    first = false;
  }
  if (!o.missing_baseline.empty()) {
    models.push_back({{"name", o.missing_baseline},
                      {"kind", "predictions"},
                      {"missing", "gpt35.jsonl: No such file"}});
  }
  return {{"version", 1},
          {"split", "test"},
          {"demonstration", false},
          {"tasks", tasks},
          {"models", models},
          {"scores", scores},
          {"loss", losses},
          {"answer_chance_loss", std::log(4.0)},
          {"latency", latency},
          {"memory",
           {{"peak_rss_bytes", 2'100'000'000},
            {"inference_peak_rss_bytes", 1'400'000'000},
            {"model_bytes", 540'000'000}}}};
}

}  // namespace scm::report
