// The commands of the trainer protocol: JSON lines on standard input, read by a thread of their own
// so that training never waits for them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"

namespace scm::trainer {

struct StopCommand {
  std::string reason;  // rung, pause, abort, cancel, preempt, drain
  bool checkpoint = false;
};

// What has been asked for since the last look, of the process or of one of its runs. An order
// without a run is for every run. Thread-safe.
class CommandQueue {
 public:
  // Understands one line; unknown commands and keys, and lines that are no JSON, are ignored.
  void PushLine(absl::string_view line);
  // Whether a checkpoint of `run` was asked for ("" = of the process); asking clears it for that
  // run alone.
  bool TakeCheckpoint(const std::string& run = "");
  // The stop order of the process; it stays in force. A later order replaces an earlier one.
  std::optional<StopCommand> stop() const;
  // The same for `run`: that of the process, else the run's own.
  std::optional<StopCommand> StopOf(const std::string& run) const;

 private:
  mutable std::mutex mutex_;
  int64_t checkpoints_ = 0;               // asked for without a run
  std::map<std::string, int64_t> taken_;  // of those, seen by each run
  std::set<std::string> run_checkpoints_;
  std::optional<StopCommand> stop_;
  std::map<std::string, StopCommand> run_stops_;
};

// From now on SIGTERM and SIGINT wait to be read from the descriptor that is returned (signalfd(2);
// -1 where there is none to be had) and end nothing by themselves. Before any thread is started.
int TakeEndSignals();

// Reads lines from `fd` into `queue` until the end of the input or its own destruction, which joins
// the thread. The end of the input is no command: training goes on. A signal read from
// `end_signals` (not owned; -1 = none) is a stop with a checkpoint. Where no shim looks after the
// process, because a person runs it by hand, a second one ends it as signals do.
class CommandReader {
 public:
  CommandReader(int fd, CommandQueue* queue, int end_signals = -1);
  ~CommandReader();
  CommandReader(const CommandReader&) = delete;
  CommandReader& operator=(const CommandReader&) = delete;

 private:
  void Run(int fd, int end_signals);
  void OnEndSignal(int end_signals);

  CommandQueue* queue_;
  int wake_[2] = {-1, -1};  // a pipe whose closing ends the thread
  std::thread thread_;
};

}  // namespace scm::trainer
