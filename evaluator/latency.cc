#include "evaluator/latency.h"

#include "common/status_macros.h"
#include "evaluator/scores.h"
#include "trainer/data/packing.h"

namespace scm::evaluator {
namespace {

absl::Status AnswerOne(const TestTask& task, const corpus::Item& item,
                       const model::Tokenizer& tokenizer, const trainer::ExampleOptions& options,
                       trainer::LlamaModel* model) {
  SCM_ASSIGN_OR_RETURN(const std::vector<trainer::TokenExample> examples,
                       trainer::ChoiceExamples(tokenizer, item.prompt, item.choices, options));
  std::vector<std::vector<const trainer::TokenExample*>> rows;
  for (const trainer::TokenExample& example : examples) rows.push_back({&example});
  SCM_ASSIGN_OR_RETURN(const auto scores, model->Score(trainer::LayOutRows(rows)));
  std::vector<ChoiceScore> choices;
  for (const trainer::LlamaModel::RowScore& score : scores) {
    choices.push_back({score.log_likelihood, score.labels});
  }
  return Predict(choices, task.multi_label).empty() ? absl::InternalError("no choice was made")
                                                    : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<double>> MeasureLatency(const TestTask& task,
                                                   const model::Tokenizer& tokenizer,
                                                   const LatencyPlan& plan,
                                                   trainer::LlamaModel* model, Clock* clock) {
  std::vector<double> samples;
  for (int64_t i = 0; i < kLatencyWarmUps + plan.samples; ++i) {
    const corpus::Item& item = *task.items[static_cast<size_t>(i) % task.items.size()];
    const absl::Duration began = clock->Steady();
    SCM_RETURN_IF_ERROR(AnswerOne(task, item, tokenizer, plan.examples, model));
    if (i >= kLatencyWarmUps) {
      samples.push_back(absl::ToDoubleMilliseconds(clock->Steady() - began));
    }
    if (plan.go_on && !plan.go_on()) return absl::CancelledError("measuring was interrupted");
  }
  return samples;
}

}  // namespace scm::evaluator
