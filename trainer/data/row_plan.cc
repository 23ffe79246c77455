#include "trainer/data/row_plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace scm::trainer {
namespace {

constexpr int64_t kMostSteps = 1'000'000'000;  // as max_steps
constexpr int64_t kMostLaidOut = 100'000'000;  // examples, of all seeds together
constexpr int64_t kLaidOutForAnEstimate = 1'000'000;

// Lays out step after step as training does.
class Layout {
 public:
  Layout(const TrainingRows& rows, uint64_t seed)
      : rows_(rows), cursor_(static_cast<int64_t>(rows.inputs.size()), seed) {}

  void Step() {
    const auto inputs_of = [this](int64_t i) { return rows_.inputs[static_cast<size_t>(i)]; };
    for (int64_t i = 0; i < rows_.gradient_accumulation; ++i) {
      NextRows(inputs_of, rows_.plan, &cursor_);
    }
    ++steps_;
  }
  int64_t steps() const { return steps_; }
  int64_t taken() const {
    const DataCursor::Position at = cursor_.position();
    return at.epoch * static_cast<int64_t>(rows_.inputs.size()) + at.index;
  }

 private:
  const TrainingRows& rows_;
  DataCursor cursor_;
  int64_t steps_ = 0;
};

int64_t RowsOfAStep(const TrainingRows& rows) {
  return rows.plan.batch_size * rows.gradient_accumulation;
}

}  // namespace

absl::StatusOr<int64_t> StepsOfEpochs(const TrainingRows& rows, double epochs,
                                      const std::vector<uint64_t>& seeds) {
  const double examples = static_cast<double>(rows.inputs.size());
  // Thirds of a corpus of three are whole examples.
  const double wanted = std::max(1.0, std::ceil(epochs * examples - 1e-6));
  const absl::Status too_many = absl::OutOfRangeError(
      absl::StrCat(epochs, " epochs of ", rows.inputs.size(),
                   " examples are more than can be counted. Give max_steps instead"));
  if (!rows.plan.packing) {
    const double steps = std::ceil(wanted / static_cast<double>(RowsOfAStep(rows)));
    if (steps > static_cast<double>(kMostSteps)) return too_many;
    return static_cast<int64_t>(steps);
  }
  if (wanted * static_cast<double>(seeds.size()) > static_cast<double>(kMostLaidOut)) {
    return too_many;
  }
  int64_t most = 1;
  for (const uint64_t seed : seeds) {
    Layout layout(rows, seed);
    while (layout.taken() < static_cast<int64_t>(wanted)) layout.Step();
    most = std::max(most, layout.steps());
  }
  return most;
}

double EpochsOfSteps(const TrainingRows& rows, int64_t steps, uint64_t seed) {
  const double examples = static_cast<double>(rows.inputs.size());
  if (!rows.plan.packing) {
    return static_cast<double>(steps) * static_cast<double>(RowsOfAStep(rows)) / examples;
  }
  Layout layout(rows, seed);
  while (layout.steps() < steps && layout.taken() < kLaidOutForAnEstimate) layout.Step();
  return static_cast<double>(layout.taken()) / examples * static_cast<double>(steps) /
         static_cast<double>(layout.steps());
}

}  // namespace scm::trainer
