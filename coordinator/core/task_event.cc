#include "coordinator/core/task_event.h"

namespace scm {
namespace {

const char* NameOf(const LeaseGranted&) { return "LeaseGranted"; }
const char* NameOf(const ProcessStarted&) { return "ProcessStarted"; }
const char* NameOf(const StartFailed&) { return "StartFailed"; }
const char* NameOf(const ProcessExited&) { return "ProcessExited"; }
const char* NameOf(const LeaseExpired&) { return "LeaseExpired"; }
const char* NameOf(const StopRequested&) { return "StopRequested"; }
const char* NameOf(const ResumeRequested&) { return "ResumeRequested"; }

}  // namespace

const char* TaskEventName(const TaskEvent& event) {
  return std::visit([](const auto& each) { return NameOf(each); }, event);
}

}  // namespace scm
