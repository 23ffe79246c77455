#include "tests/coordinator/controller/replay.h"

#include <variant>

#include "coordinator/core/priority_scheduler.h"
#include "tests/fakes/memory_blobs.h"

namespace scm::simulation {
namespace {

class NoLinks : public controller::WorkerLinks {
 public:
  void Send(int64_t, const controller::Output&) override {}
};

}  // namespace

std::shared_ptr<const state::Snapshot> Replay(const RecordingJournal& journal,
                                              store::MemoryStore& store) {
  NoLinks links;
  fake::MemoryBlobs blobs;
  const core::PriorityScheduler scheduler;
  controller::ControllerOptions options;
  options.version = "simulated";
  std::unique_ptr<controller::Controller> controller;
  for (const RecordingJournal::Entry& entry : journal.entries()) {
    if (!entry.input) {
      if (!controller->Flush(entry.reading).ok()) return nullptr;
      continue;
    }
    if (std::holds_alternative<controller::RecoverInput>(*entry.input)) {
      controller = std::make_unique<controller::Controller>(
          options, controller::ControllerDependencies{&store, &blobs, &scheduler, &links});
    }
    controller->Handle(*entry.input, entry.reading, nullptr);
  }
  return controller->snapshot();
}

}  // namespace scm::simulation
