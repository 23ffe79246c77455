#include "coordinator/rpc/control_reply.h"

#include <string>
#include <variant>

namespace scm::rpc {
namespace {

struct SetControlAnswer {
  void operator()(const std::string&) {}
  void operator()(const controller::ExperimentControlled& done) {
    proto.mutable_experiment()->set_experiment(done.experiment.str());
    proto.mutable_experiment()->set_state(StateName(done.state));
  }
  void operator()(const controller::WorkerControlled& done) {
    proto.mutable_worker()->set_worker(done.worker.str());
    proto.mutable_worker()->set_state(WorkerStateName(done.state));
    proto.mutable_worker()->set_tasks(done.tasks);
  }
  void operator()(const controller::CheckpointsCollected& done) {
    v1::CheckpointsCollected& answer = *proto.mutable_collected();
    answer.set_experiment(done.experiment.str());
    answer.set_preview(done.preview);
    for (const checkpoint::GcDecision& decision : done.plan.decisions) {
      v1::CollectedCheckpoint& row = decision.keep ? *answer.add_kept() : *answer.add_removed();
      row.set_id(decision.id);
      row.set_bytes(decision.bytes);
      row.set_reason(decision.reason);
    }
    answer.set_bytes(done.plan.bytes_removed);
  }
  void operator()(const controller::CheckpointAsked& done) {
    v1::CheckpointAsked& answer = *proto.mutable_asked();
    answer.set_run(done.run.str());
    answer.set_task(done.task.str());
    answer.set_step(done.step);
    for (const WorkerId& worker : done.workers) answer.add_workers(worker.str());
  }
  void operator()(const controller::ShutdownBegun& done) {
    proto.mutable_shutdown()->set_stopping(done.stopping);
  }

  v1::ControlReply& proto;
};

}  // namespace

void SetAnswer(const controller::Reply& reply, v1::ControlReply& proto) {
  std::visit(SetControlAnswer{proto}, reply);
}

}  // namespace scm::rpc
