// The controller's thread: drains a bounded queue in batches, one commit a batch, and ticks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "coordinator/controller/controller.h"

namespace scm::controller {

// Thread-safe. Destroying it stops the thread; queued inputs are answered with UNAVAILABLE.
class ControllerLoop {
 public:
  struct Options {
    size_t queue_limit = 100000;
    absl::Duration tick = absl::Milliseconds(200);
    // Called when the store fails for another reason than a full disk. The default ends the
    // process: a restart recovers what was committed.
    std::function<void(absl::Status)> on_fatal;
    // Asked once a round: whether the disk has so little room that no checkpoint would be taken.
    // Then users are refused as with a full store, although small commits may still find room in
    // the log.
    std::function<bool()> no_room;
    // The store is looked through so often, and the look may hold this thread for so long: well
    // within a lease's time.
    absl::Duration check_every = absl::Hours(24);
    absl::Duration check_allowed = absl::Seconds(2);
  };
  ControllerLoop(Controller* controller, Clock* clock, Options options);
  ~ControllerLoop();

  // `done` is called on the controller's thread after the commit; UNAVAILABLE at once when the
  // queue or (for user inputs) the disk is full. Whether it was taken.
  bool Post(Input input, Controller::Done done = nullptr);
  // Blocking form for RPC threads.
  absl::StatusOr<Reply> Call(Input input);
  // Runs a read on the store's thread, e.g. a page of metrics. UNAVAILABLE when it is shutting
  // down: `query` was not called.
  absl::Status Read(std::function<void(store::StateStore&)> query);
  // What is known about the store, looked through again if that is longer ago than a minute.
  absl::StatusOr<state::StoreHealth> CheckStore();
  std::shared_ptr<const state::Snapshot> snapshot() const { return controller_->snapshot(); }
  // Called on the controller's thread whenever a new state may have been published; must not wait.
  // Null ends it: once this returned, the earlier one is not called any more.
  void OnPublish(std::function<void()> published);
  // The coordinator's own time, between two commits too.
  absl::Time Now() const { return snapshot()->timeline->At(clock_->Steady()); }
  bool store_full() const;

 private:
  struct Item {
    Input input;
    Controller::Done done;
  };
  state::ClockReading Read() const { return {clock_->Now(), clock_->Steady()}; }
  void Run();
  // Runs `work` on the loop's thread before its next round.
  absl::Status RunThere(const std::function<void()>& work);
  // The look that is due by `check_every`, if it is.
  void CheckStoreWhenDue();
  // Takes both only if it is OK; UNAVAILABLE says why not.
  absl::Status Enqueue(Input& input, Controller::Done& done);
  // One round: reads, then (unless the disk is full) inputs and a tick, then the commit.
  absl::Status Round(std::deque<Item> inputs, std::deque<std::function<void()>> reads, bool full);

  Controller* controller_;
  Clock* clock_;
  Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::deque<std::function<void()>> reads_;
  bool stopping_ = false;
  bool store_full_ = false;  // the last commit found no room
  bool no_room_ = false;
  std::mutex listener_mutex_;
  std::function<void()> published_;
  absl::Duration next_check_;  // on the steady clock; the loop's thread only
  std::thread thread_;
};

}  // namespace scm::controller
