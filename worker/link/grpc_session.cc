#include "worker/link/grpc_session.h"

#include <utility>

#include "common/guard.h"
#include "worker/link/convert.h"

namespace scm::worker {
namespace {

// Reports and logs are bounded by acknowledgements; this bounds what a stuck connection holds.
constexpr size_t kMaxOutgoing = 256;

}  // namespace

absl::Status ToAbsl(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

GrpcSession::GrpcSession(v1::WorkerService::Stub& stub,
                         std::unique_ptr<grpc::ClientContext> context, const Register& hello,
                         CoordinatorClient::Sink sink)
    : context_(std::move(context)), sink_(std::move(sink)), thread_([this, &stub, hello] {
        absl::Status status;
        const absl::Status run =
            Guarded("the session's thread", [&] { status = Run(stub, hello); });
        sink_(SessionEnded{run.ok() ? status : run});
      }) {}

GrpcSession::~GrpcSession() {
  Close(/*flush=*/false);
  thread_.join();
}

bool GrpcSession::Send(WorkerMessage message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!open_ || outgoing_.size() >= kMaxOutgoing) return false;
  outgoing_.push_back(std::move(message));
  changed_.notify_one();
  return true;
}

void GrpcSession::Close(bool flush) {
  const std::lock_guard<std::mutex> lock(mutex_);
  open_ = false;
  finishing_ = true;
  if (!flush) {
    outgoing_.clear();
    context_->TryCancel();
  }
  changed_.notify_one();
}

absl::Status GrpcSession::Run(v1::WorkerService::Stub& stub, const Register& hello) {
  const std::unique_ptr<Stream> stream = stub.Session(context_.get());
  if (stream->Write(ToProto(WorkerMessage(hello)))) {
    std::thread writer([this, &stream] {
      // Without a writer the stream is of no use: the reader ends, and the session is dialled anew.
      if (!Guarded("the session's writer", [&] { Write(*stream); }).ok()) context_->TryCancel();
    });
    const absl::Status read = Guarded("a message of the coordinator", [&] {
      v1::CoordinatorMessage message;
      while (stream->Read(&message)) {
        if (std::optional<CoordinatorMessage> known = FromProto(message)) sink_(*std::move(known));
      }
    });
    if (!read.ok()) context_->TryCancel();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      open_ = false;
      finishing_ = true;
      outgoing_.clear();
      changed_.notify_one();
    }
    writer.join();
    if (!read.ok()) {
      stream->Finish();
      return read;
    }
  }
  absl::Status status = ToAbsl(stream->Finish());
  if (status.ok()) status = absl::UnavailableError("the coordinator ended the session");
  return status;
}

void GrpcSession::Write(Stream& stream) {
  while (true) {
    WorkerMessage message;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return finishing_ || !outgoing_.empty(); });
      if (outgoing_.empty()) break;
      message = std::move(outgoing_.front());
      outgoing_.pop_front();
    }
    if (!stream.Write(ToProto(message))) return;  // the reader learns why
  }
  stream.WritesDone();
}

}  // namespace scm::worker
