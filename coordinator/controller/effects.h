// What a commit allows the controller to do to the world outside its store. Nothing of it happens
// before the commit that it rests on; all of it may be lost with the process, and is derived anew
// after a restart. One thing is no effect: a report's input (write_report_data.h) is written to the
// checkpoint store before the commit, because the grant holds its digest; if the commit fails, it
// is a blob that nothing names, and swept at the next start.
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
