#include "trainer/loop/train_loop.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace scm::trainer {

using Order = TrainRun::Order;

absl::Status TrainLoop::Run(const OnEnd& on_end) {
  // A run stopped between a step and its validation makes the validation up now.
  SCM_RETURN_IF_ERROR(ForEach(on_end, [this](TrainRun& run) { return run.ValidateIfDue(&base_); }));
  while (!runs_.empty()) {
    SCM_RETURN_IF_ERROR(ForEach(on_end, [](TrainRun& run) { return run.ObeyCommands(); }));
    SCM_RETURN_IF_ERROR(Step());
    SCM_RETURN_IF_ERROR(ForEach(on_end, [this](TrainRun& run) -> absl::StatusOr<Order> {
      SCM_RETURN_IF_ERROR(run.ReportStep(seconds_));
      SCM_ASSIGN_OR_RETURN(const Order order, run.ValidateIfDue(&base_));
      if (order == Order::kGoOn) SCM_RETURN_IF_ERROR(run.SaveIfDue());
      return order;
    }));
  }
  return absl::OkStatus();
}

absl::Status TrainLoop::ForEach(const OnEnd& on_end,
                                const std::function<absl::StatusOr<Order>(TrainRun&)>& next) {
  const std::vector<TrainRun*> before = std::exchange(runs_, {});
  for (TrainRun* run : before) {
    const absl::StatusOr<Order> order = next(*run);
    if (absl::IsAborted(order.status())) {
      SCM_RETURN_IF_ERROR(on_end(*run, order.status()));
      continue;
    }
    SCM_RETURN_IF_ERROR(order.status());
    if (*order == Order::kGoOn && !run->Over()) {
      runs_.push_back(run);
      continue;
    }
    SCM_ASSIGN_OR_RETURN(TrainOutcome outcome, run->Finish(*order));
    SCM_RETURN_IF_ERROR(on_end(*run, std::move(outcome)));
  }
  return absl::OkStatus();
}

absl::Status TrainLoop::Step() {
  const absl::Duration began = clock_->Steady();
  size_t longest = 0;
  for (TrainRun* run : runs_) {
    run->BeginStep();
    longest = std::max(longest, run->window());
  }
  for (size_t i = 0; i < longest; ++i) {
    std::vector<MicroBatch> together;
    for (TrainRun* run : runs_) {
      if (i >= run->window() || !run->Has(i)) continue;
      together.push_back(run->At(i));
    }
    if (!together.empty()) SCM_RETURN_IF_ERROR(model_->QueueTrainStep(together));
  }
  SCM_RETURN_IF_ERROR(Update());
  seconds_ = absl::ToDoubleSeconds(clock_->Steady() - began);
  return absl::OkStatus();
}

absl::Status TrainLoop::Update() {
  std::vector<RunUpdate> updates;
  for (TrainRun* run : runs_) {
    SCM_RETURN_IF_ERROR(run->Exchange());
    updates.push_back(run->Update());
  }
  SCM_RETURN_IF_ERROR(optimizer_->Step(&updates, [this] {
    for (TrainRun* run : runs_) run->PrepareStep();
  }));
  for (size_t i = 0; i < runs_.size(); ++i) runs_[i]->Updated(updates[i]);
  return absl::OkStatus();
}

}  // namespace scm::trainer
