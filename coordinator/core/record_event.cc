#include "coordinator/core/record_event.h"

namespace scm {
namespace {

struct CheckpointChange {
  CheckpointRecord& checkpoint;

  void On(const CheckpointGivenUp& event) const {
    checkpoint.deleted = true;
    checkpoint.damage = event.damage;
  }
  void On(const CheckpointRemoved&) const { checkpoint.deleted = true; }
};

}  // namespace

void Apply(const TrialEvent&, Trial& trial) { trial.exited = true; }

void Apply(const CheckpointEvent& event, CheckpointRecord& checkpoint) {
  CheckpointChange change{checkpoint};
  std::visit([&](const auto& each) { change.On(each); }, event);
}

void Apply(const CertificateEvent&, CertificateRecord& certificate) {
  Json& body = certificate.body;
  body["overtaken"] = true;
  body["saved"]["steps"] = 0;
  for (const char* unit : {"seconds", "money"}) {
    if (!MemberAt(body["saved"], unit).is_null()) body["saved"][unit] = 0;
  }
}

}  // namespace scm
