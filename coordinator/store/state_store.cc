#include "coordinator/store/state_store.h"

namespace scm::store {

const char* EntityTableName(EntityTable table) {
  switch (table) {
    case EntityTable::kExperiments:
      return "experiments";
    case EntityTable::kTrials:
      return "trials";
    case EntityTable::kRuns:
      return "runs";
    case EntityTable::kTasks:
      return "tasks";
    case EntityTable::kWorkers:
      return "workers";
    case EntityTable::kCheckpoints:
      return "checkpoints";
    case EntityTable::kArtifacts:
      return "artifacts";
    case EntityTable::kCertificates:
      return "certificates";
    case EntityTable::kMeta:
      return "meta";
    case EntityTable::kValidations:
      return "validations";
  }
  return "?";
}

}  // namespace scm::store
