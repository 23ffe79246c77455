// What a commit allows: everything that the controller does to the world outside its store. Nothing
// of it happens before the commit that it rests on; all of it may be lost with the process, and is
// derived anew after a restart.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "coordinator/controller/inputs.h"

namespace scm::controller {

struct SendToWorker {
  int64_t link = 0;
  Output output;
};
// From the checkpoint store. What stays for an error is swept at the next start.
struct RemoveBlob {
  std::string id;
};
using Effect = std::variant<SendToWorker, RemoveBlob>;

}  // namespace scm::controller
