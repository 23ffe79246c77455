#include "coordinator/rpc/worker_session.h"

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "coordinator/rpc/convert.h"
#include "coordinator/rpc/lease_check.h"
#include "coordinator/rpc/status.h"

namespace scm::rpc {
namespace {

// A worker that reads nothing must not fill the coordinator's memory.
constexpr size_t kMaxOutgoing = 10000;
// Each is kept for ever under its directory's own name; new directories without end must not fill
// the state.
constexpr size_t kMaxWorkers = 10000;

}  // namespace

WorkerSession::WorkerSession(ServiceDependencies dependencies, const absl::Status& admission,
                             StreamLimits::Ticket place)
    : deps_(std::move(dependencies)), place_(std::move(place)) {
  if (!admission.ok()) {
    FinishOnce(ToGrpc(admission));
    return;
  }
  link_ = deps_.links->Add(this);
  StartRead(&incoming_);
}

void WorkerSession::FinishOnce(const grpc::Status& status) {
  std::lock_guard lock(mutex_);
  FinishLocked(status);
}

void WorkerSession::FinishLocked(const grpc::Status& status) {
  if (!std::exchange(finished_, true)) Finish(status);
}

void WorkerSession::Push(v1::CoordinatorMessage message) {
  std::lock_guard lock(mutex_);
  if (finished_) return;
  if (outgoing_.size() >= kMaxOutgoing) {
    return FinishLocked({grpc::StatusCode::RESOURCE_EXHAUSTED, "the worker reads too slowly"});
  }
  const bool resume = message.has_registered() && worker_.empty();
  if (message.has_registered()) worker_ = WorkerId(message.registered().worker_id());
  outgoing_.push_back(std::move(message));
  if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  if (resume) StartRead(&incoming_);
}

void WorkerSession::Refuse(const std::string& reason) {
  FinishOnce({grpc::StatusCode::PERMISSION_DENIED, reason});
}

void WorkerSession::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  outgoing_.pop_front();
  if (ok && !outgoing_.empty() && !finished_) StartWrite(&outgoing_.front());
}

void WorkerSession::OnReadDone(bool ok) {
  if (!ok) return FinishOnce(grpc::Status::OK);
  bool go_on = false;
  const absl::Status received =
      Guarded("this message cannot be handled", [&] { go_on = Receive(); });
  if (!received.ok()) return FinishOnce(ToGrpc(received));
  if (go_on) StartRead(&incoming_);
}

bool WorkerSession::Receive() {
  WorkerId worker;
  {
    std::lock_guard lock(mutex_);
    worker = worker_;
  }
  if (incoming_.has_register_() && TooManyWorkers(incoming_.register_().instance())) {
    FinishOnce({grpc::StatusCode::RESOURCE_EXHAUSTED,
                absl::StrCat("the coordinator knows ", kMaxWorkers,
                             " workers, as many as it keeps: start this one on the --work-dir of "
                             "an earlier one")});
    return false;
  }
  if (incoming_.has_register_()) {
    if (std::exchange(asked_, true)) {
      FinishOnce({grpc::StatusCode::FAILED_PRECONDITION, "a stream registers once"});
      return false;
    }
    return Post(FromProto(incoming_.register_(), link_)) && !worker.empty();
  }
  if (worker.empty()) {
    FinishOnce({grpc::StatusCode::FAILED_PRECONDITION, "the first message must be register"});
    return false;
  }
  switch (incoming_.message_case()) {
    case v1::WorkerMessage::kRenew:
      return Post(FromProto(incoming_.renew(), worker));
    case v1::WorkerMessage::kReports:
      // A worker sends 256 KiB at most, or one line of 1 MiB.
      if (incoming_.reports().lines().size() > core::kMaxReportBatch) {
        FinishOnce({grpc::StatusCode::INVALID_ARGUMENT, "so many reports in one message"});
        return false;
      }
      return Post(FromProto(incoming_.reports(), worker));
    case v1::WorkerMessage::kProcess:
      return Post(FromProto(incoming_.process(), worker));
    case v1::WorkerMessage::kGoodbye:
      return Post(FromProto(incoming_.goodbye(), worker));
    case v1::WorkerMessage::kLog:
      ReceiveLog(worker, incoming_.log());
      return true;
    default:
      return true;  // a newer worker's word: ignored
  }
}

bool WorkerSession::TooManyWorkers(const std::string& instance) const {
  const auto snapshot = deps_.loop->snapshot();
  if (snapshot->workers->size() < kMaxWorkers) return false;
  for (const auto& [id, worker] : *snapshot->workers) {
    if (worker->instance == instance) return false;
  }
  return true;
}

bool WorkerSession::Post(controller::Input input) {
  if (deps_.loop->Post(std::move(input))) return true;
  // A worker never says a thing twice in one session: with a gap in it, only a new one helps.
  FinishOnce({grpc::StatusCode::UNAVAILABLE, "the coordinator is overloaded: dial again"});
  return false;
}

void WorkerSession::ReceiveLog(const WorkerId& worker, const v1::LogChunk& chunk) {
  const LeaseRef lease = FromProto(chunk.lease());
  const auto snapshot = deps_.loop->snapshot();
  // Not acknowledged: nothing waits for the log of an attempt that is over.
  if (!TaskUnderLease(*snapshot, worker, lease).ok()) return;
  const absl::StatusOr<int64_t> kept =
      deps_.logs->Append(lease.task, lease.attempt, lease.rank, chunk.offset(), chunk.data());
  // On a full disk nothing is acknowledged, and the worker sends it again later.
  if (kept.ok()) deps_.links->SendLogAck(link_, chunk.lease(), *kept);
}

void WorkerSession::OnCancel() { FinishOnce(grpc::Status::CANCELLED); }

void WorkerSession::OnDone() {
  if (link_ != 0) {
    deps_.links->Remove(link_);
    deps_.loop->Post(controller::LinkLostInput{link_});
  }
  delete this;
}

}  // namespace scm::rpc
