// Everybody who watches an experiment, served by one thread: the controller's commits wake it, it
// makes the state once an experiment and hands the same bytes to each stream.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "coordinator/controller/controller_loop.h"
#include "coordinator/rpc/rpc_metrics.h"
#include "coordinator/rpc/stream_limits.h"

namespace scm::rpc {

// Thread-safe. Outlives the server whose streams it writes; the loop outlives it.
class WatchHub {
 public:
  using Reactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

  explicit WatchHub(controller::ControllerLoop* loop);
  ~WatchHub();

  // A stream of StatusAnswers: the state as it is, then after commits, at most twice a second; the
  // last one at once, and OK behind it. One that is read slowly skips states, and holds up nobody.
  // `place` and `call` end with it.
  Reactor* Open(const ExperimentId& experiment, StreamLimits::Ticket place, MeasuredCall call);
  // A stream that ends with this and nothing else.
  static Reactor* Refuse(const MeasuredCall& call, const grpc::Status& status);

 private:
  class Stream;
  using Time = std::chrono::steady_clock::time_point;
  struct Topic {
    std::set<Stream*> streams;
    bool waiting = false;  // something was committed since the last state that went out
    Time next;             // of a state that is not the last
  };
  struct Due {
    ExperimentId experiment;
    bool all = false;   // else those that have had nothing yet
    bool last = false;  // the experiment has ended
  };

  void Run();
  // One look at the published state; when the next one is due without a commit, if ever.
  std::optional<Time> Push(bool published);
  std::vector<Due> FindDue(const state::Snapshot& snapshot, bool published,
                           std::optional<Time>& next);
  void Signal(bool published);
  void Remove(Stream* stream);

  controller::ControllerLoop* const loop_;
  // A lock of its own, held for a flag: the commit never waits for streams.
  std::mutex signal_mutex_;
  std::condition_variable wake_;
  bool published_ = false, opened_ = false, stopping_ = false;
  std::mutex mutex_;  // the topics, and all that their streams hold
  std::map<ExperimentId, Topic> topics_;
  std::thread thread_;
};

}  // namespace scm::rpc
