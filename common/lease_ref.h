// Which lease of which attempt a message is about: mirrors the proto message of the same name.
#pragma once

#include <cstdint>

#include "common/ids.h"

namespace scm {

struct LeaseRef {
  LeaseId lease;
  TaskId task;
  int64_t attempt = 0;
  int64_t epoch = 0;
  int64_t rank = 0;
  bool operator==(const LeaseRef&) const = default;
};

}  // namespace scm
