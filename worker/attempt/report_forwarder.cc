#include "worker/attempt/report_forwarder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace scm::worker {
namespace {

// The types that matter here. A line that is no JSON object has none: it is passed on as it is, and
// the coordinator notes it.
std::string TypeOf(absl::string_view line, Json& report) {
  // Almost all lines are progress: the parser is spared where no such word can stand.
  bool worth_parsing = false;
  for (absl::string_view word : {"checkpoint", "artifact", "done", "stopped", "failed", "\\u"}) {
    worth_parsing = worth_parsing || line.find(word) != line.npos;
  }
  if (!worth_parsing) return "";
  absl::StatusOr<Json> parsed = ParseReportJson(line, "report");
  if (!parsed.ok() || !parsed->is_object()) return "";
  report = *std::move(parsed);
  return StringAt(report, "type");
}

}  // namespace

ReportForwarder::ReportForwarder(int64_t acknowledged, std::string last_report, bool packed)
    : packed_(packed),
      acknowledged_(acknowledged),
      sent_(acknowledged),
      last_report_(std::move(last_report)) {}

ReportForwarder::Step ReportForwarder::Next(absl::string_view data) {
  Step step;
  step.offset = sent_;
  step.last_report = last_report_;
  if (sent_ - acknowledged_ >= kMaxUnacknowledged) return step;
  int64_t size = 0;
  while (true) {
    const size_t newline = data.find('\n', static_cast<size_t>(size));
    const int64_t length =
        static_cast<int64_t>(newline == data.npos ? data.size() : newline) - size;
    if (length > kMaxLine) {
      if (size > 0) break;  // first what stands before it
      step.kind = Step::Kind::kViolation;
      step.problem = absl::StrCat("the report at byte ", sent_, " is longer than ", kMaxLine,
                                  " bytes (docs/trainer-protocol.md)");
      return step;
    }
    if (newline == data.npos) break;
    if (size > 0 && size + length + 1 > kMaxBatch) break;
    Json report;
    const std::string type = TypeOf(data.substr(static_cast<size_t>(size), length), report);
    const int64_t line_end = sent_ + size + length + 1;
    if ((type == "checkpoint" || type == "artifact") && line_end > uploaded_) {
      if (size > 0) break;
      if (uploading() || acknowledged_ < sent_) return step;
      uploading_end_ = line_end;
      step.kind = Step::Kind::kUpload;
      step.size = length + 1;
      step.report = std::move(report);
      return step;
    }
    const bool of_all = !packed_ || StringAt(report, "run").empty();
    if (of_all && (type == "done" || type == "stopped" || type == "failed")) {
      step.last_report = type;
    }
    size += length + 1;
  }
  if (size == 0) return step;
  step.kind = Step::Kind::kSend;
  step.size = size;
  return step;
}

void ReportForwarder::OnSent(const Step& step) {
  sent_ = std::max(sent_, step.offset + step.size);
  last_report_ = step.last_report;
}

void ReportForwarder::OnUploaded() {
  uploaded_ = std::max(uploaded_, uploading_end_);
  uploading_end_ = 0;
}

void ReportForwarder::OnUploadFailed() { uploading_end_ = 0; }

void ReportForwarder::OnAcknowledged(int64_t offset) {
  acknowledged_ = std::max(acknowledged_, offset);
  sent_ = std::max(sent_, acknowledged_);
}

void ReportForwarder::Rewind() { sent_ = acknowledged_; }

}  // namespace scm::worker
