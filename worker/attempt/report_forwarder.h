// Decides which bytes of an attempt's report spool may go to the coordinator next. The spool's byte
// offset is the sequence number. A line that announces files (`checkpoint`, `artifact`) is held
// back, with everything after it, until those files are uploaded: so a committed report never
// refers to something that does not exist. And the upload waits until every line before it is
// acknowledged: so whoever resumes from a checkpoint finds the rows that led to it. Pure: the
// caller reads the file and does the sending. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "common/json.h"

namespace scm::worker {

class ReportForwarder {
 public:
  static constexpr int64_t kMaxLine = 1 << 20;   // a longer report breaks the protocol
  static constexpr int64_t kMaxBatch = 1 << 18;  // bytes in one message, if a line is not longer
  static constexpr int64_t kMaxUnacknowledged = 1 << 20;

  // `acknowledged`: what the coordinator has committed; `last_report`: see below. For a new attempt
  // 0 and "". `packed`: it trains several runs, and the last word about one is not the process's.
  ReportForwarder(int64_t acknowledged, std::string last_report, bool packed = false);

  struct Step {
    enum class Kind {
      kNothing,  // no whole line, or the window is full, or an upload or acknowledgement is awaited
      kSend,     // `size` bytes from `offset` on are whole lines that may go
      kUpload,   // the files of the line `report` must be uploaded first
      kViolation,  // the trainer broke the protocol: `problem`
    };
    Kind kind = Kind::kNothing;
    int64_t offset = 0, size = 0;
    Json report;
    std::string problem;
    std::string last_report;  // kSend: as last_report() will be once these lines are sent
  };

  // What to do next, given the spool's bytes from sent() on (at least kMaxLine + 1 of them if there
  // are so many). kUpload counts as begun: each upload is asked for once.
  Step Next(absl::string_view data);
  // The lines of a kSend step are on their way.
  void OnSent(const Step& step);

  // The files of the line that Next asked for are committed.
  void OnUploaded();
  // The upload did not happen; Next will ask again.
  void OnUploadFailed();
  void OnAcknowledged(int64_t offset);
  // A new session: what was not acknowledged is sent again.
  void Rewind();

  int64_t acknowledged() const { return acknowledged_; }
  int64_t sent() const { return sent_; }
  bool uploading() const { return uploading_end_ != 0; }
  // Type of the last terminal report ("done", "stopped", "failed") among those sent, or "". To be
  // stored with the acknowledged offset, because lines below it are not read again.
  const std::string& last_report() const { return last_report_; }

 private:
  bool packed_;
  int64_t acknowledged_, sent_;
  int64_t uploaded_ = 0;       // end of the last line whose files were uploaded
  int64_t uploading_end_ = 0;  // end of the line whose upload is under way; 0 = none
  std::string last_report_;
};

}  // namespace scm::worker
