#include "coordinator/core/task_event.h"

namespace scm {

const char* TaskEventName(const TaskEvent& event) {
  struct Namer {
    const char* operator()(const LeaseGranted&) { return "LeaseGranted"; }
    const char* operator()(const ProcessStarted&) { return "ProcessStarted"; }
    const char* operator()(const StartFailed&) { return "StartFailed"; }
    const char* operator()(const ProcessExited&) { return "ProcessExited"; }
    const char* operator()(const LeaseExpired&) { return "LeaseExpired"; }
    const char* operator()(const StopRequested&) { return "StopRequested"; }
    const char* operator()(const ResumeRequested&) { return "ResumeRequested"; }
  };
  return std::visit(Namer{}, event);
}

}  // namespace scm
