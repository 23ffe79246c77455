// Signs of life between the ranks of a gang, by a thread of its own that does nothing else, so that
// a step may take as long as it likes. Every rank is connected with rank 0. Who is killed closes
// its connection; who is paused, or cut off, falls silent. Rank 0 tells the others which rank it
// was, so that all say the same.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "trainer/gang/line_socket.h"

namespace scm::gang {

struct LivenessOptions {
  absl::Duration beat = absl::Milliseconds(500);  // between two signs of life
  absl::Duration silence = absl::Seconds(4);      // of a rank that counts as gone
  // Called once, on the thread, when a rank has gone or failed: the end of this process, unless a
  // test listens. UNAVAILABLE, or the code with which the other rank left.
  std::function<void(const absl::Status&)> on_lost = nullptr;
};

// Thread-safe.
class Liveness {
 public:
  // `sockets` and `hosts` as in Circle (trainer/gang/roll_call.h).
  Liveness(int64_t rank, std::vector<std::string> hosts, std::vector<LineSocket> sockets,
           LivenessOptions options);
  ~Liveness();  // without Leave this is to the others the death of the rank
  Liveness(const Liveness&) = delete;
  Liveness& operator=(const Liveness&) = delete;

  // Says good-bye and ends the thread: from now on nobody is watched.
  void Leave(const absl::Status& outcome);
  // Why the gang has ended; OK while it lives. Waits up to `patience` for such news.
  absl::Status Verdict(absl::Duration patience);

 private:
  struct Peer {
    int64_t rank;
    LineSocket socket;
    absl::Duration heard = absl::ZeroDuration();
    bool left = false;
  };

  void Run();
  bool Watch();  // whether to go on
  // OK, or why the peer counts as lost.
  absl::Status Hear(Peer& peer);
  absl::Status OnLine(Peer& peer, const std::string& line);
  void Tell(const std::string& line);
  void Lose(const absl::Status& why);
  std::string NameOf(const Peer& peer) const;

  const int64_t rank_;
  const std::vector<std::string> hosts_;
  const LivenessOptions options_;
  std::vector<Peer> peers_;
  absl::Duration beaten_ = absl::ZeroDuration();
  int wake_[2] = {-1, -1};  // a pipe whose closing ends the thread

  std::mutex mutex_;
  std::condition_variable news_;
  absl::Status verdict_;
  std::thread thread_;
};

}  // namespace scm::gang
