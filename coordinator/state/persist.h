// Records to and from the JSON bodies of the store, as coordinator/state/record_fields.h describes
// them. Every field is written; a missing one reads as its default, so that an older database opens
// under a newer program. Pure.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "coordinator/core/model.h"

namespace scm::state {

// The record that a body holds. DATA_LOSS: a state or another word of a fixed set is unknown, or
// the experiment's file is not one. Throws where an element of a list is of another type.
template <typename Record>
absl::StatusOr<Record> FromJson(Json body);

#define SCM_RECORDS(entity, name, since, Id, Record, loss) \
  Json ToJson(const Record& record);                       \
  template <>                                              \
  absl::StatusOr<Record> FromJson<Record>(Json body);
#include "coordinator/store/tables.def"

// A run's validations have rows of their own, of some of them each.
Json ToJson(const std::vector<ValidationRecord>& validations);
absl::Status ReadValidations(const Json& list, Run& run);  // adds them

}  // namespace scm::state
