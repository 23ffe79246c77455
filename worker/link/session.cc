#include "worker/link/session.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "worker/log.h"

namespace scm::worker {
namespace {

constexpr absl::Duration kFirstDelay = absl::Milliseconds(250);
// Short, so that a coordinator that is back finds its workers well within a lease's time.
constexpr absl::Duration kLongestDelay = absl::Seconds(5);
// A wrong token does not get right by asking often.
constexpr absl::Duration kRefusedDelay = absl::Seconds(30);
constexpr absl::Duration kRegisterTimeout = absl::Seconds(30);

bool IsRefusal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnauthenticated ||
         status.code() == absl::StatusCode::kPermissionDenied;
}

}  // namespace

Session::Session(CoordinatorClient& client, Clock& clock, uint64_t seed, Hooks hooks)
    : client_(client), clock_(clock), hooks_(std::move(hooks)), jitter_(seed, "session jitter") {}

absl::Duration Session::Due() const {
  if (state_ == State::kDialling) return dialled_at_ + kRegisterTimeout;
  return closing_ || state_ == State::kRegistered ? absl::InfiniteDuration() : next_dial_;
}

void Session::Proceed() {
  const absl::Duration now = clock_.Steady();
  if (state_ == State::kDialling && now - dialled_at_ >= kRegisterTimeout) {
    dialled_at_ = now;
    client_.CloseSession(/*flush=*/false);
  }
  if (closing_ || state_ != State::kDisconnected || now < next_dial_) return;
  state_ = State::kDialling;
  dialled_at_ = now;
  const int64_t session = ++session_;
  client_.OpenSession(hooks_.hello(),
                      [this, session, post = hooks_.post,
                       alive = std::weak_ptr<const bool>(alive_)](CoordinatorMessage message) {
                        post([this, session, alive, message = std::move(message)] {
                          if (!alive.expired()) OnMessage(session, message);
                        });
                      });
}

void Session::OnMessage(int64_t session, const CoordinatorMessage& message) {
  if (session != session_) return;
  if (const auto* ended = std::get_if<SessionEnded>(&message)) return OnEnded(ended->status);
  if (const auto* registered = std::get_if<Registered>(&message)) {
    state_ = State::kRegistered;
    failures_ = 0;
    last_problem_.clear();
    WorkerLog(absl::StrCat("registered as ", registered->worker_id, " with coordinator ",
                           registered->coordinator_version));
  }
  if (state_ == State::kRegistered) hooks_.on_message(message);
}

void Session::OnEnded(const absl::Status& status) {
  state_ = State::kDisconnected;
  ++failures_;
  const absl::Duration longest =
      IsRefusal(status) ? kRefusedDelay : Backoff(failures_, kFirstDelay, kLongestDelay);
  next_dial_ = clock_.Steady() + longest * (0.5 + 0.5 * jitter_.Uniform());
  const std::string problem = status.ToString();
  if (!closing_ && problem != last_problem_) {
    WorkerLog(absl::StrCat("no session with the coordinator: ", problem, "; dialling again"));
  }
  last_problem_ = problem;
}

void Session::Close() {
  closing_ = true;
  if (state_ != State::kDisconnected) client_.CloseSession(/*flush=*/true);
}

}  // namespace scm::worker
