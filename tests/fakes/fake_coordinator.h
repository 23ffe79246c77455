// A coordinator inside the test's process, behind the worker's CoordinatorClient: keeps leases,
// commits reports by offset, stores uploads after checking them and that the rows before them are
// here, and can be cut off. One thread.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "worker/link/coordinator_client.h"

namespace scm::fake {

class FakeCoordinator : public worker::CoordinatorClient {
 public:
  struct Lease {
    std::string reports, log;  // committed
    int started = 0;           // STARTED messages
    std::vector<worker::ProcessEvent> ends;
  };
  struct Blob {
    std::string manifest;
    std::map<std::string, std::string> files;
  };

  // What the tests do to it.
  void GrantLease(const worker::Grant& grant);  // sends it, and holds it for valid from now on
  void SendCommand(const LeaseRef& lease, const std::string& json);
  void SendRevoke(const LeaseRef& lease);
  void SendDrain();
  void ForgetLease(const LeaseRef& lease) { leases_.erase(lease.lease); }
  // Ends the session, if there is one, and refuses the next ones while `cut_off`.
  void Drop();
  bool cut_off = false;
  bool acknowledge = true;                  // reports are acknowledged
  bool acknowledge_logs = true;             // and so are logs
  std::deque<absl::Status> upload_answers;  // taken one an upload, before it is looked at
  bool damage_downloads = false;
  int lose_batches =
      0;  // so many are taken and forgotten; it asks for them when the next one comes

  // What it saw.
  const Lease& lease(const LeaseRef& lease) { return leases_[lease.lease]; }
  bool registered() const { return static_cast<bool>(sink_); }
  std::map<std::string, Blob> blobs;    // by id
  std::vector<std::string> violations;  // of the protocol between worker and coordinator
  std::vector<worker::Register> registrations;
  std::vector<std::string> goodbyes;
  double clock_jumps = 0;  // seconds, told by renewals
  int renewals = 0, uploads = 0, downloads = 0, chunks = 0;
  bool leaving = false;                    // a worker said that it goes down
  std::vector<worker::LeaseState> states;  // of the latest renewal

  void OpenSession(const worker::Register& hello, Sink sink) override;
  bool Send(worker::WorkerMessage message) override;
  void CloseSession(bool flush) override;
  absl::StatusOr<worker::UploadResult> Upload(const worker::UploadRequest& request) override;
  absl::Status Download(const LeaseRef& lease, const std::string& id,
                        const ChunkSink& sink) override;

 private:
  bool Valid(const LeaseRef& lease) const;
  void Commit(const worker::ReportBatch& batch);
  void SendAck(const LeaseRef& lease, bool done);

  bool lost_ = false;
  Sink sink_;
  std::map<LeaseId, LeaseRef> valid_;  // by lease id
  std::map<LeaseId, Lease> leases_;
};

}  // namespace scm::fake
