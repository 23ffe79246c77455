// ProcessLauncher on real processes: one scm-attempt per attempt, in a session of its own.
#pragma once

#include <memory>
#include <string>

#include "common/json.h"
#include "worker/process/launcher.h"
#include "worker/process/shim_processes.h"
#include "worker/process/trainer_user.h"

namespace scm::worker {

class PosixLauncher : public ProcessLauncher {
 public:
  // `shim`: path of scm-attempt. `grace`: what it gives its trainer when it is itself told to end.
  // `user`: as whom trainers run; no name = as this process. `loop`: on which Watch tells, and
  // which outlives this; without one nothing can be watched.
  explicit PosixLauncher(std::string shim, absl::Duration grace = absl::Seconds(60),
                         TrainerUser user = {}, EventLoop* loop = nullptr)
      : shim_(std::move(shim)),
        grace_(grace),
        user_(std::move(user)),
        shims_(std::make_unique<ShimProcesses>(loop)) {}

  absl::Status Start(const LaunchRequest& request) override;
  ProcessState Poll(const std::string& directory) override;
  bool Watch(const std::string& directory, std::function<void()> changed) override;
  void Unwatch(const std::string& directory) override;
  absl::Status SendLine(const std::string& directory, const std::string& line) override;
  absl::Status SetDeadline(const std::string& directory, absl::Duration from_now) override;

 private:
  ProcessState PollWithoutPid(const std::string& directory, bool child_lives);
  ProcessState PollByPid(const std::string& directory, const Json& pid, bool child_lives);

  std::string shim_;
  absl::Duration grace_;
  TrainerUser user_;
  std::unique_ptr<ShimProcesses> shims_;
};

}  // namespace scm::worker
