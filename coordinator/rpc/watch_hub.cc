#include "coordinator/rpc/watch_hub.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <utility>

#include "answers/message_json.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "coordinator/rpc/status.h"
#include "coordinator/views/views.h"

namespace scm::rpc {
namespace {

constexpr std::chrono::milliseconds kPeriod(500);

class Refused final : public WatchHub::Reactor {
 public:
  explicit Refused(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

absl::StatusOr<grpc::ByteBuffer> StateOf(const state::Snapshot& snapshot, const ExperimentId& id) {
  SCM_ASSIGN_OR_RETURN(v1::StatusAnswer answer, views::StatusView(snapshot, id.str()));
  answer.set_resolved(id.str());
  answers::RepairTexts(answer);
  grpc::ByteBuffer bytes;
  bool own = false;
  SCM_RETURN_IF_ERROR(
      FromGrpc(grpc::SerializationTraits<v1::StatusAnswer>::Serialize(answer, &bytes, &own)));
  return bytes;
}

}  // namespace

// All but the constructor and OnDone's last step under the hub's lock.
class WatchHub::Stream final : public Reactor {
 public:
  Stream(WatchHub* hub, ExperimentId experiment, StreamLimits::Ticket place, MeasuredCall call)
      : hub_(hub), experiment_(std::move(experiment)), place_(std::move(place)), call_(call) {}

  const ExperimentId& experiment() const { return experiment_; }
  bool fresh() const { return fresh_; }

  // Takes the place of a state that waits to be written.
  void Offer(const grpc::ByteBuffer& state, bool last) {
    if (over_ || last_) return;
    fresh_ = false;
    waiting_ = state;
    has_waiting_ = true;
    last_ = last;
    if (!writing_) Write();
  }
  void End(const grpc::Status& status) {
    if (over_) return;
    over_ = true;
    status_ = status;
    // What is being written fails soon where the stream is cancelled, and ends it then.
    if (!writing_) Finish(status_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(hub_->mutex_);
    writing_ = false;
    if (over_) {
      Finish(status_);
    } else if (!ok) {
      End(grpc::Status(grpc::StatusCode::CANCELLED, "the watcher is gone"));
    } else if (has_waiting_) {
      Write();
    } else if (last_) {
      End(grpc::Status::OK);
    }
  }
  void OnCancel() override {
    const std::lock_guard lock(hub_->mutex_);
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the watcher is gone"));
  }
  void OnDone() override {
    hub_->Remove(this);
    call_.End(status_);
    delete this;
  }

 private:
  void Write() {
    written_.Swap(&waiting_);
    waiting_.Clear();
    has_waiting_ = false;
    writing_ = true;
    StartWrite(&written_);
  }

  WatchHub* const hub_;
  const ExperimentId experiment_;
  const StreamLimits::Ticket place_;
  const MeasuredCall call_;
  grpc::ByteBuffer written_, waiting_;
  bool fresh_ = true, writing_ = false, has_waiting_ = false, last_ = false, over_ = false;
  grpc::Status status_;
};

WatchHub::WatchHub(controller::ControllerLoop* loop) : loop_(loop) {
  thread_ = std::thread([this] { Run(); });
  loop_->OnPublish([this] { Signal(/*published=*/true); });
}

WatchHub::~WatchHub() {
  loop_->OnPublish(nullptr);
  {
    const std::lock_guard lock(signal_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

WatchHub::Reactor* WatchHub::Open(const ExperimentId& experiment, StreamLimits::Ticket place,
                                  MeasuredCall call) {
  auto* stream = new Stream(this, experiment, std::move(place), call);
  {
    const std::lock_guard lock(mutex_);
    topics_[experiment].streams.insert(stream);
  }
  Signal(/*published=*/false);
  return stream;
}

WatchHub::Reactor* WatchHub::Refuse(const MeasuredCall& call, const grpc::Status& status) {
  return new Refused(call.End(status));
}

void WatchHub::Remove(Stream* stream) {
  const std::lock_guard lock(mutex_);
  const auto topic = topics_.find(stream->experiment());
  topic->second.streams.erase(stream);
  if (topic->second.streams.empty()) topics_.erase(topic);
}

void WatchHub::Signal(bool published) {
  {
    const std::lock_guard lock(signal_mutex_);
    (published ? published_ : opened_) = true;
  }
  wake_.notify_one();
}

void WatchHub::Run() {
  Time next = Time::max();  // of what is due by itself
  std::unique_lock lock(signal_mutex_);
  while (true) {
    const auto woken = [this] { return stopping_ || published_ || opened_; };
    wake_.wait_until(lock, next, woken);
    if (stopping_) return;
    const bool published = std::exchange(published_, false);
    opened_ = false;
    lock.unlock();
    next = Time::max();
    Guarded("the watches", [&] { next = Push(published).value_or(Time::max()); }).IgnoreError();
    lock.lock();
  }
}

std::vector<WatchHub::Due> WatchHub::FindDue(const state::Snapshot& snapshot, bool published,
                                             std::optional<Time>& next) {
  const Time now = std::chrono::steady_clock::now();
  std::vector<Due> due;
  const std::lock_guard lock(mutex_);
  for (auto& [id, topic] : topics_) {
    topic.waiting |= published;
    const auto experiment = snapshot.experiments->find(id);
    const bool last =
        experiment == snapshot.experiments->end() || IsTerminal(experiment->second->state);
    const bool all = topic.waiting && (last || now >= topic.next);
    const bool fresh = std::any_of(topic.streams.begin(), topic.streams.end(),
                                   [](const Stream* stream) { return stream->fresh(); });
    if (all || fresh) due.push_back({id, all, last});
    if (all) {
      topic.waiting = false;
      topic.next = now + kPeriod;
    } else if (topic.waiting) {
      next = std::min(next.value_or(topic.next), topic.next);
    }
  }
  return due;
}

std::optional<WatchHub::Time> WatchHub::Push(bool published) {
  const auto snapshot = loop_->snapshot();
  std::optional<Time> next;
  for (const Due& due : FindDue(*snapshot, published, next)) {
    const absl::StatusOr<grpc::ByteBuffer> state = StateOf(*snapshot, due.experiment);
    const std::lock_guard lock(mutex_);
    const auto topic = topics_.find(due.experiment);
    if (topic == topics_.end()) continue;  // its last watcher went meanwhile
    for (Stream* stream : topic->second.streams) {
      if (!due.all && !stream->fresh()) continue;
      if (state.ok()) {
        stream->Offer(*state, due.last);
      } else {
        stream->End(ToGrpc(state.status()));
      }
    }
  }
  return next;
}

}  // namespace scm::rpc
