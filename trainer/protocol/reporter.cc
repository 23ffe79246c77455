#include "trainer/protocol/reporter.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace scm::trainer {
namespace {

Json MetricsJson(const Metrics& metrics) {
  Json object = Json::object();
  for (const auto& [name, value] : metrics) object[name] = JsonNumber(value);
  return object;
}

}  // namespace

absl::Status Reporter::Write(const Json& line) {
  if (to_ != nullptr) {
    Json named = line;
    named["run"] = run_;
    return to_->Write(named);
  }
  // Text from files may hold invalid UTF-8; a report must be valid all the same.
  const std::string text = DumpJson(line) + "\n";
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(fd_, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return absl::UnavailableError(absl::StrCat("cannot write a report: ", std::strerror(errno)));
    }
    written += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::Status Reporter::Started() { return Write({{"type", "started"}}); }

absl::Status Reporter::Progress(int64_t step, const Metrics& metrics, const std::string& note) {
  Json line = {{"type", "progress"}, {"step", step}, {"metrics", MetricsJson(metrics)}};
  if (!note.empty()) line["note"] = note;
  return Write(line);
}

absl::Status Reporter::Validation(int64_t step, const Metrics& metrics,
                                  const ValidationCounts* counts) {
  Json line = {{"type", "validation"}, {"step", step}, {"metrics", MetricsJson(metrics)}};
  if (counts != nullptr) {
    line["counts"] = {{"correct", counts->correct},
                      {"items", counts->items},
                      {"chance", JsonNumber(counts->chance)},
                      {"deff", JsonNumber(counts->deff)}};
  }
  return Write(line);
}

absl::Status Reporter::Checkpoint(int64_t step, const std::string& dir) {
  return Write({{"type", "checkpoint"}, {"step", step}, {"dir", dir}});
}

absl::Status Reporter::Artifact(const std::string& name, const std::string& path) {
  return Write({{"type", "artifact"}, {"name", name}, {"path", path}});
}

absl::Status Reporter::Stopped(int64_t step) {
  return Write({{"type", "stopped"}, {"step", step}});
}

absl::Status Reporter::Done(const Json& summary) {
  return Write({{"type", "done"}, {"summary", summary}});
}

absl::Status Reporter::Failed(absl::string_view kind, absl::string_view message) {
  return Write(
      {{"type", "failed"}, {"kind", std::string(kind)}, {"message", std::string(message)}});
}

absl::StatusOr<int> ReportDescriptor() {
  const char* text = std::getenv("SCM_REPORT_FD");
  if (text == nullptr || *text == '\0') return STDOUT_FILENO;
  int fd = -1;
  if (!absl::SimpleAtoi(text, &fd) || fd < 0 || ::fcntl(fd, F_GETFD) < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("SCM_REPORT_FD is \"", text, "\", which is no open descriptor"));
  }
  return fd;
}

const char* FailureKind(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return "bad_input";
    case absl::StatusCode::kResourceExhausted:
      return "out_of_memory";
    case absl::StatusCode::kAborted:
      return "diverged";
    default:
      return "infrastructure";
  }
}

}  // namespace scm::trainer
