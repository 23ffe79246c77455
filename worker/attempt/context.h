// What an attempt needs of its surroundings. Everything is borrowed from the daemon's owner and
// outlives the attempts.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/attempt/commands.h"
#include "worker/attempt/input_cache.h"
#include "worker/host/gpu_book.h"
#include "worker/host/slots.h"
#include "worker/link/coordinator_client.h"
#include "worker/process/launcher.h"

namespace scm::worker {

struct WorkerContext {
  CoordinatorClient* client = nullptr;
  ProcessLauncher* launcher = nullptr;
  Clock* clock = nullptr;
  InputCache* cache = nullptr;
  Slots* slots = nullptr;
  // Runs something that blocks on another thread.
  std::function<void(std::function<void()>)> background;
  // Runs something on the daemon's loop; callable on any thread.
  std::function<void(std::function<void()>)> post;

  std::string work_dir;  // absolute
  absl::Duration orphan_timeout = absl::Minutes(10);
  CommandRules rules;
  std::shared_ptr<GpuBook> gpus = std::make_shared<GpuBook>();
  // Attempts wait with their start while the work directory's disk has less room.
  int64_t min_free_bytes = 0;
  // How long a program that has said its last word may take to exit…
  absl::Duration exit_grace = absl::Seconds(60);
  // …and files that the coordinator has no room for are offered again.
  absl::Duration upload_patience = absl::Minutes(30);
};

}  // namespace scm::worker
