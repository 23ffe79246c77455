// Between protobuf messages and the controller's plain values. Pure. The only place, with the
// services beside it, that sees protobuf; and the border at which bytes of others become text
// (common/text.h) and reports become values: behind it nobody has to ask.
#pragma once

#include "coordinator/controller/inputs.h"
#include "scm/v1/worker.pb.h"

namespace scm {

LeaseRef FromProto(const v1::LeaseRef& proto);
v1::LeaseRef ToProto(const LeaseRef& lease);

RegisterInput FromProto(const v1::Register& proto, int64_t link);
RenewInput FromProto(const v1::Renew& proto, const WorkerId& worker);
ReportsInput FromProto(const v1::ReportBatch& proto, const WorkerId& worker);
GoodbyeInput FromProto(const v1::Goodbye& proto, const WorkerId& worker);
ProcessInput FromProto(const v1::ProcessEvent& proto, const WorkerId& worker);
v1::CoordinatorMessage ToProto(const Output& output, const std::string& version);
Manifest FromProto(const v1::UploadHeader& proto, const std::string& id);

}  // namespace scm
