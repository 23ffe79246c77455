// The controller's inputs written down, and given to another controller.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "coordinator/controller/controller.h"
#include "coordinator/controller/journal.h"
#include "coordinator/store/memory_store.h"

namespace scm::simulation {

class RecordingJournal : public controller::InputJournal {
 public:
  struct Entry {
    state::ClockReading reading;
    std::optional<controller::Input> input;  // none = a commit
  };
  void Took(const state::ClockReading& reading, const controller::Input& input) override {
    entries_.push_back({reading, input});
  }
  void Committed(const state::ClockReading& reading) override {
    entries_.push_back({reading, std::nullopt});
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// What a controller makes of these inputs that was there for none of them: a new one for each start
// of the process, over stores of its own, whose answers nobody hears.
std::shared_ptr<const state::Snapshot> Replay(const RecordingJournal& journal,
                                              store::MemoryStore& store);

}  // namespace scm::simulation
