#include "worker/attempt/attempt_reports.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/files.h"
#include "common/human.h"
#include "common/text.h"
#include "worker/attempt/upload_files.h"
#include "worker/log.h"
#include "worker/process/attempt_files.h"

namespace scm::worker {
namespace {

// A refusal may be about a lease that was lost while the news is still on its way, or about bytes
// damaged in transit; after this many the trainer's files are held to be at fault.
constexpr int kMaxRefusals = 4;
// A coordinator that has no room for logs stops acknowledging them.
constexpr absl::Duration kLogPatience = absl::Seconds(10);
// After so long without an answer reports are said once more; once only, since whoever has no room
// to store them still has to keep them.
constexpr absl::Duration kAnswerPatience = absl::Seconds(30);
constexpr size_t kProblemLimit = 500;  // of an error's text in every renewal

Json ReadObject(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Json::object();
  absl::StatusOr<Json> json = ParseJson(*text, path);
  return json.ok() ? *std::move(json) : Json::object();
}

// "checkpoint 300", "artifact evaluation".
std::string NameOf(const Json& report) {
  const std::string run = LineOf(StringAt(report, "run"), 64);
  return StringAt(report, "type") == "checkpoint"
             ? absl::StrCat("checkpoint ", IntegerAt(report, "step", 0), run.empty() ? "" : " of ",
                            run)
             : absl::StrCat("artifact ", LineOf(StringAt(report, "name"), 64));
}

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return true;
    default:
      return false;
  }
}

}  // namespace

AttemptReports::AttemptReports(const WorkerContext& context, LeaseRef lease, std::string directory,
                               std::function<void()> wake)
    : context_(context),
      lease_(std::move(lease)),
      directory_(std::move(directory)),
      wake_(std::move(wake)),
      reports_(IntegerAt(ReadObject(Path(attempt_files::kAcked)), "report_offset", 0),
               StringAt(ReadObject(Path(attempt_files::kAcked)), "last_report"),
               MemberAt(ReadObject(Path(attempt_files::kSpec)), "runs").is_array()),
      log_(IntegerAt(ReadObject(Path(attempt_files::kAcked)), "log_offset", 0)),
      written_at_(context.clock->Steady()) {}

void AttemptReports::Watch() {
  const int64_t size = FileSize(Path(attempt_files::kReports)).value_or(0);
  if (size == watched_size_) return;
  watched_size_ = size;
  written_at_ = context_.clock->Steady();
}

absl::Duration AttemptReports::Silence() const { return context_.clock->Steady() - written_at_; }

std::string AttemptReports::WaitingFor() const {
  if (reports_.uploading() && upload_progress_ != nullptr) {
    const int64_t total = upload_progress_->total;
    return total == 0 ? absl::StrCat("the upload of ", upload_name_, " (its files are being read)")
                      : absl::StrCat("the upload of ", upload_name_, " (",
                                     HumanBytes(upload_progress_->sent), " of ", HumanBytes(total),
                                     " sent)");
  }
  if (upload_failures_ == 0 || !violation_.empty()) return "";
  return absl::StrCat(
      "the upload of ", upload_name_, ", tried ", upload_failures_,
      upload_failures_ == 1 ? " time: " : " times: ", LineOf(upload_problem_, kProblemLimit));
}

void AttemptReports::Rewind() {
  said_again_ = false;
  unanswered_since_ = absl::InfiniteDuration();
  reports_.Rewind();
  log_.Rewind();
}

bool AttemptReports::Pump() {
  awaits_ack_ = false;
  SayAgainWhatIsUnanswered();
  const bool log = PumpLog();
  return PumpReports() && log;
}

void AttemptReports::SayAgainWhatIsUnanswered() {
  if (said_again_ || context_.clock->Steady() < unanswered_since_ + kAnswerPatience) return;
  said_again_ = true;
  reports_.Rewind();
}

absl::Duration AttemptReports::Due(absl::Duration last) const {
  absl::Duration due = absl::InfiniteDuration();
  const absl::Duration again =
      said_again_ ? absl::InfiniteDuration() : unanswered_since_ + kAnswerPatience;
  for (const absl::Duration time : {next_upload_, log_patience_, again}) {
    if (time > last) due = std::min(due, time);
  }
  return due;
}

bool AttemptReports::PumpLog() {
  const std::string path = Path(attempt_files::kLog);
  while (FileSize(path).value_or(0) > log_.sent()) {
    awaits_ack_ = awaits_ack_ || log_.Allowance() == 0;
    if (log_.Allowance() == 0) return true;
    absl::StatusOr<std::string> data = ReadFileAt(path, log_.sent(), log_.Allowance());
    if (!data.ok()) return false;
    if (data->empty()) return true;
    const int64_t size = static_cast<int64_t>(data->size());
    if (!context_.client->Send(LogChunk{lease_, log_.sent(), *std::move(data)})) return false;
    log_.OnSent(size);
  }
  return true;
}

bool AttemptReports::PumpReports() {
  const std::string path = Path(attempt_files::kReports);
  while (!reports_.uploading() && context_.clock->Steady() >= next_upload_ &&
         FileSize(path).value_or(0) > reports_.sent()) {
    const absl::StatusOr<std::string> data =
        ReadFileAt(path, reports_.sent(), ReportForwarder::kMaxLine + 2);
    if (!data.ok()) return false;
    const ReportForwarder::Step step = reports_.Next(*data);
    switch (step.kind) {
      case ReportForwarder::Step::Kind::kNothing:
        awaits_ack_ = true;
        return true;
      case ReportForwarder::Step::Kind::kViolation:
        if (violation_.empty()) wake_();
        violation_ = step.problem;
        violation_offset_ = step.offset;
        return true;
      case ReportForwarder::Step::Kind::kUpload:
        if (violation_.empty()) {
          BeginUpload(step);
        } else {
          reports_.OnUploadFailed();
        }
        return true;
      case ReportForwarder::Step::Kind::kSend:
        if (!context_.client->Send(ReportBatch{lease_, step.offset,
                                               data->substr(0, static_cast<size_t>(step.size))})) {
          return false;
        }
        reports_.OnSent(step);
        unanswered_since_ = std::min(unanswered_since_, context_.clock->Steady());
        break;
    }
  }
  return true;
}

void AttemptReports::BeginUpload(const ReportForwarder::Step& step) {
  upload_name_ = NameOf(step.report);
  const absl::StatusOr<std::string> path =
      ReportedPath(step.report, directory_, Path(attempt_files::kWork));
  if (!path.ok()) {
    OnUploadDone(step, "", path.status(), /*broke_protocol=*/true);
    return;
  }
  upload_progress_ = std::make_shared<TransferProgress>();
  context_.background([self = weak_from_this(), client = context_.client, post = context_.post,
                       lease = lease_, step, path = *path, progress = upload_progress_] {
    absl::StatusOr<UploadRequest> request = CollectUpload(step.report, path, lease);
    if (request.ok()) request->progress = progress;
    const bool broke = request.status().code() == absl::StatusCode::kInvalidArgument;
    absl::StatusOr<UploadResult> result =
        request.ok() ? client->Upload(*request) : absl::StatusOr<UploadResult>(request.status());
    post([self, step, path, result = std::move(result), broke] {
      if (const auto reports = self.lock()) reports->OnUploadDone(step, path, result, broke);
    });
  });
}

void AttemptReports::OnUploadDone(const ReportForwarder::Step& step, const std::string& path,
                                  const absl::StatusOr<UploadResult>& result, bool broke_protocol) {
  wake_();
  if (result.ok()) {
    reports_.OnUploaded();
    upload_failures_ = refusals_ = 0;
    next_upload_ = absl::ZeroDuration();
    no_room_since_ = absl::InfiniteDuration();
    uploaded_.push_back({step.offset + step.size, path, result->id, result->sha256,
                         StringAt(step.report, "type") == "checkpoint"});
    return;
  }
  reports_.OnUploadFailed();
  const absl::Status& status = result.status();
  if (!IsTransient(status)) ++refusals_;
  if (broke_protocol || refusals_ >= kMaxRefusals || !WaitsForRoom(status)) {
    violation_ = absl::StrCat("the files of the report at byte ", step.offset, " (", upload_name_,
                              ") cannot be stored: ", status.message());
    violation_offset_ = step.offset;
    return;
  }
  upload_problem_ = std::string(status.message());
  const absl::Duration delay = Backoff(++upload_failures_, absl::Seconds(1), absl::Seconds(30));
  next_upload_ = context_.clock->Steady() + delay;
  WorkerLog(absl::StrCat(lease_.task.str(), " attempt ", lease_.attempt, ": upload failed (",
                         status.ToString(), "); again in ", HumanDuration(delay)));
}

void AttemptReports::GiveUpFiles() {
  patient_ = false;
  next_upload_ = absl::ZeroDuration();
}

bool AttemptReports::WaitsForRoom(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return true;
  const absl::Duration now = context_.clock->Steady();
  no_room_since_ = std::min(no_room_since_, now);
  return patient_ && now - no_room_since_ < context_.upload_patience;
}

void AttemptReports::OnAck(int64_t report_offset, int64_t log_offset) {
  const std::pair<int64_t, int64_t> before(reports_.acknowledged(), log_.acknowledged());
  reports_.OnAcknowledged(report_offset);
  log_.OnAcknowledged(log_offset);
  if (reports_.acknowledged() > before.first) {
    said_again_ = false;
    unanswered_since_ = reports_.acknowledged() < reports_.sent() ? context_.clock->Steady()
                                                                  : absl::InfiniteDuration();
  }
  const bool news = before != std::pair(reports_.acknowledged(), log_.acknowledged());
  const auto committed = [this] {
    return !uploaded_.empty() && uploaded_.front().line_end <= reports_.acknowledged();
  };
  // Lost or late, the record only means that bytes are sent twice; but a line that is read again
  // asks for its files again, so they stay until it cannot be.
  const bool durable = committed();
  if (!news && !durable) return;
  const absl::Status recorded = Persist(durable);
  if (durable && !recorded.ok()) {
    if (!keeping_) {
      WorkerLog(absl::StrCat("keeping committed files of ", lease_.task.str(), " attempt ",
                             lease_.attempt, ": ", recorded.message()));
    }
    keeping_ = true;
    return;
  }
  keeping_ = false;
  while (committed()) {
    const Uploaded& files = uploaded_.front();
    if (files.checkpoint) {
      const absl::Status adopted = context_.cache->Adopt(files.path, files.id, files.sha256);
      if (!adopted.ok())
        WorkerLog(absl::StrCat("cannot remove ", files.path, ": ", adopted.message()));
    }
    uploaded_.pop_front();
  }
}

absl::Status AttemptReports::Persist(bool durable) const {
  const Json acked = {{"report_offset", reports_.acknowledged()},
                      {"log_offset", log_.acknowledged()},
                      {"last_report", reports_.last_report()}};
  const std::string path = Path(attempt_files::kAcked), text = DumpJson(acked) + "\n";
  return durable ? WriteFileDurably(path, text) : WriteFileAtomically(path, text);
}

bool AttemptReports::SpoolIsSent() const {
  if (reports_.uploading() || reports_.acknowledged() < reports_.sent()) return false;
  const std::string path = Path(attempt_files::kReports);
  if (!FileExists(path)) return true;
  const absl::StatusOr<std::string> rest =
      ReadFileAt(path, reports_.acknowledged(), ReportForwarder::kMaxLine + 1);
  return rest.ok() && rest->find('\n') == std::string::npos &&
         static_cast<int64_t>(rest->size()) <= ReportForwarder::kMaxLine;
}

bool AttemptReports::Flushed() {
  const bool reported =
      violation_.empty() ? SpoolIsSent() : reports_.acknowledged() >= violation_offset_;
  if (!reported) return false;
  const absl::Duration now = context_.clock->Steady();
  log_patience_ = std::min(log_patience_, now + kLogPatience);
  return now >= log_patience_ || log_.sent() >= FileSize(Path(attempt_files::kLog)).value_or(0);
}

}  // namespace scm::worker
