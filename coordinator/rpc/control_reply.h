// What became of a user's command, as a message. Pure.
#pragma once

#include "coordinator/controller/reply.h"
#include "scm/v1/experiment.pb.h"

namespace scm::rpc {

// Sets the answer of `proto`; none where `reply` is that of no command.
void SetAnswer(const controller::Reply& reply, v1::ControlReply& proto);

}  // namespace scm::rpc
