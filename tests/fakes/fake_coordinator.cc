#include "tests/fakes/fake_coordinator.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/json.h"

namespace scm::fake {

void FakeCoordinator::GrantLease(const worker::Grant& grant) {
  valid_[grant.lease.lease] = grant.lease;
  leases_[grant.lease.lease];
  if (sink_) sink_(grant);
}

void FakeCoordinator::SendCommand(const LeaseRef& lease, const std::string& json) {
  if (sink_) sink_(worker::Command{lease, json});
}

void FakeCoordinator::SendRevoke(const LeaseRef& lease) {
  valid_.erase(lease.lease);
  if (sink_) sink_(worker::Revoke{lease, "revoked by the test"});
}

void FakeCoordinator::SendDrain() {
  if (sink_) sink_(scm::worker::Drain{"drained by the test"});
}

void FakeCoordinator::Drop() {
  if (!sink_) return;
  const Sink sink = std::move(sink_);
  sink_ = nullptr;
  sink(worker::SessionEnded{absl::UnavailableError("dropped by the test")});
}

bool FakeCoordinator::Valid(const LeaseRef& lease) const {
  const auto found = valid_.find(lease.lease);
  return found != valid_.end() && found->second == lease && leases_.count(lease.lease) != 0;
}

void FakeCoordinator::OpenSession(const worker::Register& hello, Sink sink) {
  if (cut_off) return sink(worker::SessionEnded{absl::UnavailableError("cut off by the test")});
  if (sink_) violations.push_back("a second session while one is open");
  sink_ = std::move(sink);
  registrations.push_back(hello);
  worker::Registered registered{"w-1", 30, 5, "test", {}};
  for (const LeaseRef& lease : hello.live) {
    if (Valid(lease)) registered.kept.push_back(lease);
  }
  sink_(registered);
}

void FakeCoordinator::SendAck(const LeaseRef& lease, bool done) {
  const Lease& state = leases_[lease.lease];
  sink_(worker::Ack{lease, static_cast<int64_t>(state.reports.size()),
                    acknowledge_logs ? static_cast<int64_t>(state.log.size()) : 0, done});
}

// Checks that nothing is skipped, and that what a line refers to has been uploaded.
void FakeCoordinator::Commit(const worker::ReportBatch& batch) {
  std::string& reports = leases_[batch.lease.lease].reports;
  const int64_t known = static_cast<int64_t>(reports.size());
  if (batch.offset > known && lost_) {
    sink_(worker::Ack{batch.lease, known, 0, false, /*resend=*/true});
    return;
  }
  if (batch.offset > known) {
    violations.push_back(absl::StrCat("gap: ", known, " to ", batch.offset));
    return;
  }
  const int64_t skip = known - batch.offset;
  if (skip >= static_cast<int64_t>(batch.lines.size())) return;
  const std::string fresh = batch.lines.substr(static_cast<size_t>(skip));
  if (fresh.back() != '\n') violations.push_back("a batch ends inside a line");
  for (absl::string_view line : absl::StrSplit(fresh, '\n', absl::SkipEmpty())) {
    const absl::StatusOr<Json> report = ParseReportJson(line, "report");
    if (!report.ok()) continue;
    std::string id;
    if (StringAt(*report, "type") == "checkpoint") {
      id = absl::StrCat("r-1/", IntegerAt(*report, "step", -1));
    } else if (StringAt(*report, "type") == "artifact") {
      id = absl::StrCat(batch.lease.task.str(), "/", StringAt(*report, "name"));
    }
    if (!id.empty() && blobs.count(id) == 0)
      violations.push_back(id + " reported before its upload");
  }
  reports += fresh;
}

bool FakeCoordinator::Send(worker::WorkerMessage message) {
  if (!sink_) return false;
  if (const auto* renew = std::get_if<worker::Renew>(&message)) {
    ++renewals;
    leaving = leaving || renew->leaving;
    clock_jumps += renew->clock_jump_seconds;
    states = renew->states;
  } else if (const auto* goodbye = std::get_if<worker::Goodbye>(&message)) {
    goodbyes.push_back(goodbye->reason);
  } else if (const auto* batch = std::get_if<worker::ReportBatch>(&message)) {
    if (!Valid(batch->lease)) {
      violations.push_back("reports without a lease");
      return true;
    }
    if (lose_batches > 0) {
      --lose_batches;
      lost_ = true;
      return true;
    }
    Commit(*batch);
    if (acknowledge) SendAck(batch->lease, false);
  } else if (const auto* log = std::get_if<worker::LogChunk>(&message)) {
    if (!Valid(log->lease)) return true;
    std::string& known = leases_[log->lease.lease].log;
    if (log->offset == static_cast<int64_t>(known.size())) known += log->data;
    if (acknowledge && acknowledge_logs) SendAck(log->lease, false);
  } else if (const auto* event = std::get_if<worker::ProcessEvent>(&message)) {
    if (!Valid(event->lease)) {
      violations.push_back("an event without a lease");
      return true;
    }
    Lease& lease = leases_[event->lease.lease];
    if (event->kind == worker::ProcessEvent::Kind::kStarted) {
      ++lease.started;
      return true;
    }
    lease.ends.push_back(*event);
    SendAck(event->lease, true);
  }
  return true;
}

void FakeCoordinator::CloseSession(bool flush) { Drop(); }

absl::StatusOr<worker::UploadResult> FakeCoordinator::Upload(const worker::UploadRequest& request) {
  ++uploads;
  if (!upload_answers.empty()) {
    const absl::Status answer = upload_answers.front();
    upload_answers.pop_front();
    if (!answer.ok()) return answer;
  }
  if (!Valid(request.lease)) return absl::FailedPreconditionError("stale lease");
  // A trainer reports every step before it saves it; what it reported must be here by now.
  const std::string& reports = leases_[request.lease.lease].reports;
  const std::string number = absl::StrCat(request.step, ",");
  if (request.checkpoint && reports.find("\"step\":" + number) == std::string::npos &&
      reports.find("\"step\": " + number) == std::string::npos) {
    violations.push_back(absl::StrCat("step ", request.step, " is stored before it was reported"));
  }
  const std::string id =
      request.checkpoint
          ? absl::StrCat(request.run.empty() ? "r-1" : request.run, "/", request.step)
          : absl::StrCat(request.lease.task.str(), "/", request.name);
  Blob blob;
  Json files = Json::array();
  for (const worker::LocalFile& file : request.files) {
    const absl::StatusOr<std::string> content = ReadFile(file.source);
    if (!content.ok()) return content.status();
    if (static_cast<int64_t>(content->size()) != file.bytes || Sha256Hex(*content) != file.sha256 ||
        Crc32c(*content) != file.crc32c) {
      return absl::DataLossError(file.path);
    }
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
    blob.files[file.path] = *content;
  }
  blob.manifest = Json({{"id", id}, {"files", files}}).dump();
  if (blobs.count(id) != 0 && blobs[id].files != blob.files) {
    return absl::FailedPreconditionError(id + " exists with other files");
  }
  blobs[id] = blob;
  return worker::UploadResult{id, Sha256Hex(blob.manifest)};
}

absl::Status FakeCoordinator::Download(const LeaseRef& lease, const std::string& id,
                                       const ChunkSink& sink) {
  ++downloads;
  if (!Valid(lease)) return absl::FailedPreconditionError("stale lease");
  if (blobs.count(id) == 0) return absl::NotFoundError(id + " does not exist");
  const Blob& blob = blobs[id];
  if (const absl::Status s = sink("manifest.json", 0, blob.manifest); !s.ok()) return s;
  for (const auto& [path, content] : blob.files) {
    // Two pieces, so that offsets matter.
    const size_t half = content.size() / 2;
    std::string second = content.substr(half);
    if (damage_downloads && !second.empty()) second[0] ^= 1;
    ++chunks;
    if (const absl::Status s = sink(path, 0, content.substr(0, half)); !s.ok()) return s;
    if (const absl::Status s = sink(path, static_cast<int64_t>(half), second); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace scm::fake
