// Between protobuf messages and the controller's plain values. Pure. The only place, with the
// services beside it, that sees protobuf; and the border at which bytes of others become text
// (common/text.h) and reports become values: behind it nobody has to ask.
#pragma once

#include "coordinator/controller/inputs.h"
#include "scm/v1/worker.pb.h"

namespace scm::rpc {

LeaseRef FromProto(const v1::LeaseRef& proto);
v1::LeaseRef ToProto(const LeaseRef& lease);

controller::RegisterInput FromProto(const v1::Register& proto, int64_t link);
controller::RenewInput FromProto(const v1::Renew& proto, const WorkerId& worker);
controller::ReportsInput FromProto(const v1::ReportBatch& proto, const WorkerId& worker);
controller::GoodbyeInput FromProto(const v1::Goodbye& proto, const WorkerId& worker);
controller::ProcessInput FromProto(const v1::ProcessEvent& proto, const WorkerId& worker);
v1::CoordinatorMessage ToProto(const controller::Output& output, const std::string& version);
checkpoint::Manifest FromProto(const v1::UploadHeader& proto, const std::string& id);

}  // namespace scm::rpc
