#include "coordinator/controller/controller_loop.h"

#include <cstdio>
#include <cstdlib>
#include <future>
#include <utility>

#include "common/guard.h"
#include "common/status_macros.h"

namespace scm::controller {
namespace {

// How long a batch may grow while the disk is full before the next try.
constexpr absl::Duration kFullRetry = absl::Milliseconds(500);
// A look that is younger is as good as a new one.
constexpr absl::Duration kFreshCheck = absl::Minutes(1);

bool FromUser(const Input& input) {
  return std::holds_alternative<SubmitInput>(input) || std::holds_alternative<ControlInput>(input);
}

}  // namespace

ControllerLoop::ControllerLoop(Controller* controller, Clock* clock, Options options)
    : controller_(controller), clock_(clock), options_(std::move(options)) {
  if (!options_.on_fatal) {
    options_.on_fatal = [](absl::Status status) {
      std::fprintf(stderr, "scm-coordinator: the store failed, stopping: %s\n",
                   status.ToString().c_str());
      std::_Exit(1);
    };
  }
  next_check_ = clock_->Steady() + options_.check_every;
  thread_ = std::thread([this] {
    const absl::Status status = Guarded("the controller's thread", [this] { Run(); });
    if (!status.ok()) options_.on_fatal(status);
  });
}

ControllerLoop::~ControllerLoop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  for (Item& item : queue_) {
    if (item.done) item.done(absl::UnavailableError("the coordinator is shutting down"));
  }
}

absl::Status ControllerLoop::Enqueue(Input& input, Controller::Done& done) {
  std::lock_guard lock(mutex_);
  if (stopping_) return absl::UnavailableError("the coordinator is shutting down");
  if ((store_full_ || no_room_) && FromUser(input)) {
    return absl::UnavailableError(
        "the coordinator's disk is full: free some space and try again; nothing was changed");
  }
  if (queue_.size() >= options_.queue_limit) {
    return absl::UnavailableError("the coordinator is overloaded: try again");
  }
  queue_.push_back({std::move(input), std::move(done)});
  return absl::OkStatus();
}

bool ControllerLoop::Post(Input input, Controller::Done done) {
  const absl::Status queued = Enqueue(input, done);
  wake_.notify_one();
  if (!queued.ok() && done) done(queued);
  return queued.ok();
}

absl::StatusOr<Reply> ControllerLoop::Call(Input input) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<Reply>>>();
  std::future<absl::StatusOr<Reply>> answer = promise->get_future();
  Post(std::move(input),
       [promise](absl::StatusOr<Reply> reply) { promise->set_value(std::move(reply)); });
  return answer.get();
}

absl::Status ControllerLoop::RunThere(const std::function<void()>& work) {
  std::promise<absl::Status> done;
  std::future<absl::Status> finished = done.get_future();
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return absl::UnavailableError("the coordinator is shutting down");
    reads_.push_back([&] { done.set_value(Guarded("a query of the store", work)); });
  }
  wake_.notify_one();
  return finished.get();
}

absl::Status ControllerLoop::Read(std::function<void(store::StateStore&)> query) {
  return RunThere([&] { query(controller_->store()); });
}

absl::StatusOr<state::StoreHealth> ControllerLoop::CheckStore() {
  state::StoreHealth health;
  SCM_RETURN_IF_ERROR(RunThere([&] {
    const auto snapshot = controller_->snapshot();
    health = *snapshot->store_health;
    if (snapshot->at - health.checked_at < kFreshCheck) return;
    health = controller_->CheckStore(Read(), options_.check_allowed);
  }));
  return health;
}

void ControllerLoop::CheckStoreWhenDue() {
  const absl::Duration now = clock_->Steady();
  if (now < next_check_) return;
  next_check_ = now + options_.check_every;
  controller_->CheckStore(Read(), options_.check_allowed);
}

void ControllerLoop::OnPublish(std::function<void()> published) {
  const std::lock_guard lock(listener_mutex_);
  published_ = std::move(published);
}

bool ControllerLoop::store_full() const {
  std::lock_guard lock(mutex_);
  return store_full_ || no_room_;
}

absl::Status ControllerLoop::Round(std::deque<Item> inputs, std::deque<std::function<void()>> reads,
                                   bool full) {
  for (const auto& read : reads) read();
  for (Item& item : inputs) {
    controller_->Handle(item.input, Read(), std::move(item.done));
  }
  if (!full) controller_->Tick(Read());
  if (!full) CheckStoreWhenDue();
  return controller_->Flush(Read());
}

void ControllerLoop::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    // A full disk is tried again at a fixed pace: what waits in the queue must not make it spin.
    wake_.wait_for(
        lock, absl::ToChronoMilliseconds(store_full_ ? kFullRetry : options_.tick),
        [this] { return stopping_ || !reads_.empty() || (!queue_.empty() && !store_full_); });
    std::deque<std::function<void()>> reads;
    reads.swap(reads_);
    std::deque<Item> inputs;
    if (!store_full_ && !stopping_) inputs.swap(queue_);
    const bool full = store_full_, last = stopping_;
    lock.unlock();
    const bool no_room = options_.no_room && options_.no_room();
    const absl::Status status =
        Guarded("the controller", [&] { return Round(std::move(inputs), std::move(reads), full); });
    if (!status.ok() && !absl::IsResourceExhausted(status)) options_.on_fatal(status);
    {
      const std::lock_guard listener_lock(listener_mutex_);
      if (published_) published_();
    }
    lock.lock();
    store_full_ = !status.ok();
    no_room_ = no_room;
    if (last) return;
  }
}

}  // namespace scm::controller
