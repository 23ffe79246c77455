#include "coordinator/rpc/control_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answers/message_json.h"
#include "common/json.h"

namespace scm::rpc {
namespace {

// The answer as `-o json` prints it; "" where there is none.
std::string Printed(const controller::Reply& reply) {
  v1::ControlReply proto;
  SetAnswer(reply, proto);
  const auto* reflection = proto.GetReflection();
  const auto* field =
      reflection->GetOneofFieldDescriptor(proto, proto.GetDescriptor()->FindOneofByName("answer"));
  if (field == nullptr) return "";
  return DumpJson(answers::ToJson(reflection->GetMessage(proto, field)));
}

TEST(AControlReply, HasTheKeysOfItsVerbInTheirOrder) {
  EXPECT_EQ(Printed("e-1"), "");
  EXPECT_EQ(Printed(controller::ExperimentControlled{ExperimentId("e-1"), State::kPaused}),
            R"({"experiment":"e-1","state":"PAUSED"})");
  EXPECT_EQ(Printed(controller::WorkerControlled{WorkerId("w-1"), WorkerState::kDraining, 0}),
            R"({"worker":"w-1","state":"DRAINING","tasks":0})");
  EXPECT_EQ(Printed(controller::CheckpointsCollected{ExperimentId("e-1"), true, {}}),
            R"({"experiment":"e-1","preview":true,"kept":[],"removed":[],"bytes":0})");
  const checkpoint::GcPlan plan{{{"r-1/10", false, "older", 5}, {"r-1/20", true, "the latest", 7}},
                                5};
  EXPECT_EQ(Printed(controller::CheckpointsCollected{ExperimentId("e-1"), false, plan}),
            R"({"experiment":"e-1","preview":false,)"
            R"("kept":[{"id":"r-1/20","bytes":7,"reason":"the latest"}],)"
            R"("removed":[{"id":"r-1/10","bytes":5,"reason":"older"}],"bytes":5})");
  EXPECT_EQ(
      Printed(controller::CheckpointAsked{RunId("r-1"), TaskId("k-1"), 40, {WorkerId("w-1")}}),
      R"({"run":"r-1","task":"k-1","step":40,"workers":["w-1"]})");
  EXPECT_EQ(Printed(controller::ShutdownBegun{3}), R"({"stopping":3})");
}

}  // namespace
}  // namespace scm::rpc
