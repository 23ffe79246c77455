// What every store asks of a batch before it writes anything. Pure.
#pragma once

#include "absl/status/status.h"
#include "coordinator/store/state_store.h"

namespace scm::store {

// INVALID_ARGUMENT: an id or key is empty, or event sequences do not grow beyond `last_event`. A
// batch that fails this is a fault of the caller's program; nothing of it is written.
absl::Status CheckBatch(const WriteBatch& batch, int64_t last_event);

}  // namespace scm::store
