// What several answers hold. Pure and thread-safe.
#pragma once

#include <string>

#include "common/human.h"
#include "common/json.h"
#include "coordinator/state/cluster.h"
#include "scm/v1/answers.pb.h"

namespace scm::views {

// As a time of day; "" where it never happened.
inline std::string StampOf(const state::Snapshot& snapshot, absl::Time time) {
  return Rfc3339(snapshot.timeline->Stamp(time));
}

// Sets an optional text, as in SetKnown(stage, &v1::Stage::mutable_gate, gate): one that is not
// known stays unset, never "".
template <typename Message>
void SetKnown(Message& message, std::string* (Message::*field)(), const std::string& text) {
  if (!text.empty()) *(message.*field)() = text;
}

inline v1::StoredFile FileOf(const Json& file) {
  v1::StoredFile stored;
  stored.set_path(StringAt(file, "path"));
  stored.set_bytes(IntegerAt(file, "bytes", 0));
  stored.set_sha256(StringAt(file, "sha256"));
  return stored;
}

}  // namespace scm::views
