// Brings one attempt's reports, log and files to the coordinator: sends from the last acknowledged
// offset on, uploads what a report announces before that report, and deletes local checkpoints that
// the coordinator has committed. Lives on the daemon's loop.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "worker/attempt/context.h"
#include "worker/attempt/log_forwarder.h"
#include "worker/attempt/report_forwarder.h"

namespace scm::worker {

class AttemptReports : public std::enable_shared_from_this<AttemptReports> {
 public:
  // Offsets are taken from acked.json if the directory has one. `context` must outlive this.
  // `wake`: called on the loop when an upload has ended, so that Pump is called.
  AttemptReports(const WorkerContext& context, LeaseRef lease, std::string directory,
                 std::function<void()> wake);

  // A new session: unacknowledged bytes are sent again.
  void Rewind();
  // Sends what may be sent and begins the next upload. Only with a session. False: some of it could
  // not be read, or the client took no more.
  bool Pump();
  void OnAck(int64_t report_offset, int64_t log_offset);
  int64_t acknowledged() const { return reports_.acknowledged(); }
  // The last Pump left something that may go once the coordinator has acknowledged more.
  bool awaits_ack() const { return awaits_ack_; }
  // When time alone gives Pump something to do, or Flushed another answer, that they had not at
  // `last`: an upload is tried again, the wait for an acknowledgement or for the log ends.
  // Clock::Steady().
  absl::Duration Due(absl::Duration last) const;

  // Every report is acknowledged (up to a violation), and all of the log was sent; for the log it
  // waits a few seconds only, since nothing depends on it. A last line without its end, left by a
  // trainer that died with its shim, is no report. To be asked once no process is left.
  bool Flushed();
  // Looks whether the trainer has written since the last look. Often, while it runs.
  void Watch();
  // Time since a look found that it had.
  absl::Duration Silence() const;
  // When that look was, Clock::Steady().
  absl::Duration written_at() const { return written_at_; }
  // What the reports wait for, for people; "" = nothing in particular.
  std::string WaitingFor() const;
  // The run ends for good, and nobody needs its files: they are offered once more, without waiting
  // for room.
  void GiveUpFiles();
  // Why the attempt cannot go on: the trainer broke the protocol, or its files were refused.
  const std::string& violation() const { return violation_; }
  const std::string& last_report() const { return reports_.last_report(); }

 private:
  struct Uploaded {
    int64_t line_end;
    std::string path, id, sha256;
    bool checkpoint;
  };

  // Nobody asks for a batch that was lost while nothing follows it.
  void SayAgainWhatIsUnanswered();
  bool PumpLog();
  bool PumpReports();
  void BeginUpload(const ReportForwarder::Step& step);
  void OnUploadDone(const ReportForwarder::Step& step, const std::string& path,
                    const absl::StatusOr<UploadResult>& result, bool broke_protocol);
  // Whether a coordinator without room may still find some; notes since when it has none.
  bool WaitsForRoom(const absl::Status& status);
  absl::Status Persist(bool durable) const;
  bool SpoolIsSent() const;
  std::string Path(const char* name) const { return directory_ + "/" + name; }

  const WorkerContext& context_;
  const LeaseRef lease_;
  const std::string directory_;
  const std::function<void()> wake_;
  bool awaits_ack_ = false;
  absl::Duration unanswered_since_ = absl::InfiniteDuration();  // Clock::Steady()
  bool said_again_ = false;  // since the coordinator has acknowledged anything new
  ReportForwarder reports_;
  LogForwarder log_;
  std::deque<Uploaded> uploaded_;  // whose report lines are not acknowledged yet, in file order
  int upload_failures_ = 0, refusals_ = 0;
  absl::Duration next_upload_ = absl::ZeroDuration();  // Clock::Steady()
  std::string upload_name_, upload_problem_;           // of the upload under way, or tried last
  std::shared_ptr<TransferProgress> upload_progress_;
  absl::Duration no_room_since_ = absl::InfiniteDuration();  // Clock::Steady()
  bool patient_ = true;                                      // with a coordinator without room
  int64_t watched_size_ = -1;
  absl::Duration written_at_;  // Clock::Steady()
  // When the wait for the log ends, Clock::Steady(); set when every report is acknowledged.
  absl::Duration log_patience_ = absl::InfiniteDuration();
  bool keeping_ = false;  // committed files stay, because the record of them cannot be written
  std::string violation_;
  int64_t violation_offset_ = 0;  // reports below it are still sent
};

}  // namespace scm::worker
