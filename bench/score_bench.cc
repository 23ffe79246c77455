// One side of the scoring benchmark (bench/scoring.py drives it next to lm_eval_bench.py): loads a
// model, then answers every line on stdin by scoring all items once and one JSON line
// {"seconds","log_likelihoods","peak_rss"}. Ends at end of input.
#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include "bench/side.h"
#include "common/files.h"
#include "common/json.h"
#include "common/resident_memory.h"
#include "common/status_macros.h"
#include "trainer/data/choice_scoring.h"

namespace scm::bench {
namespace {

struct Options {
  SideOptions side;
  std::string items;
  int64_t score_tokens = 2048;  // as the evaluator's
};

// {"items":[{"prompt":[ids],"choices":[[ids],…]},…]}
absl::StatusOr<std::vector<trainer::TokenExample>> ReadItems(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(Json json, ParseJson(text, path));
  std::vector<trainer::TokenExample> examples;
  for (const Json& item : json["items"]) {
    for (const Json& choice : item["choices"]) {
      trainer::TokenExample& example = examples.emplace_back();
      example.tokens = item["prompt"].get<std::vector<int32_t>>();
      example.answer_start = static_cast<int64_t>(example.tokens.size());
      for (const Json& token : choice) example.tokens.push_back(token.get<int32_t>());
    }
  }
  return examples;
}

absl::StatusOr<Json> Score(const std::vector<trainer::TokenExample>& examples, int64_t score_tokens,
                           trainer::LlamaModel* model) {
  std::vector<const trainer::TokenExample*> pointers;
  for (const trainer::TokenExample& example : examples) pointers.push_back(&example);
  const auto begin = std::chrono::steady_clock::now();
  SCM_ASSIGN_OR_RETURN(const auto scores,
                       trainer::ScoreExamples(pointers, score_tokens, nullptr, model));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  Json values = Json::array();
  for (const auto& score : scores) values.push_back(score.log_likelihood);
  return Json{
      {"seconds", seconds.count()}, {"log_likelihoods", values}, {"peak_rss", PeakResidentBytes()}};
}

absl::Status Main(const Options& options) {
  SCM_ASSIGN_OR_RETURN(const std::vector<trainer::TokenExample> examples, ReadItems(options.items));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<trainer::LlamaModel> model, LoadModel(options.side));
  return AnswerLines([&](const std::string& /*line*/) {
    return Score(examples, options.score_tokens, model.get());
  });
}

}  // namespace
}  // namespace scm::bench

int main(int argc, char** argv) {
  scm::bench::Options options;
  CLI::App app("Scoring benchmark, driven by bench/scoring.py");
  options.side.AddTo(&app);
  app.add_option("--items", options.items)->required();
  app.add_option("--score-tokens", options.score_tokens);
  CLI11_PARSE(app, argc, argv);
  return scm::bench::ExitStatus(scm::bench::Main(options));
}
