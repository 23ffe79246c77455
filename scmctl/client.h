// The coordinator as scmctl sees it. Every call has a deadline; errors are absl::Status with words
// for the user. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "scm/v1/experiment.pb.h"
#include "scmctl/download.h"

namespace scm::ctl {

struct ClientOptions {
  std::string coordinator;            // HOST:PORT; "" = SCM_COORDINATOR, else the local one
  std::string token_file;             // "" = SCM_TOKEN_FILE, else the local one's
  std::string tls_ca;                 // PEM file; "" = SCM_TLS_CA, else plain text, loopback only
  bool local = false;                 // the one of `local up`, whatever else is named
  int patience_seconds = 60;          // how long Watch and Logs try to get back in contact
  std::function<bool()> interrupted;  // ends Watch and Logs soon, with CANCELLED; may be empty
};

// What can be asked (proto/scm/v1/experiment.proto).
enum class Topic {
  kExperiments,
  kStatus,
  kRuns,
  kMetrics,
  kEvents,
  kReasons,
  kCheckpoints,
  kArtifacts,
  kWorkers,
  kInventory,
  kReportData,
  kHealth,
};

// An answer, or a page of one.
struct Page {
  Json json;             // as `-o json` prints it
  int64_t next = 0;      // metrics, events: ask again behind this row; 0 = that was all
  std::string resolved;  // the id that was taken, where a name was given
};

class Client {
 public:
  virtual ~Client() = default;
  // UNAVAILABLE when nobody answers; the message says how to start a coordinator.
  virtual absl::StatusOr<Json> Query(Topic topic, const std::string& id) = 0;
  virtual absl::StatusOr<Page> QueryPage(Topic topic, const std::string& id, int64_t after) = 0;
  virtual absl::StatusOr<std::string> Submit(const v1::SubmitRequest& request) = 0;
  virtual absl::StatusOr<Json> Control(v1::ControlRequest::Verb verb, const std::string& id,
                                       bool preview) = 0;
  // Calls `show` with every status until the experiment ends (OK) or the user interrupts
  // (CANCELLED); with null while contact is lost. Gives up with UNAVAILABLE.
  virtual absl::Status Watch(const std::string& id,
                             const std::function<void(const Json& status)>& show) = 0;
  virtual absl::Status Logs(
      const std::string& id, bool follow,
      const std::function<void(const std::string& data, const std::string& source)>& show) = 0;
  // Writes the files of a blob below `directory`, checked against its manifest. What is there
  // already is not fetched again; lost contact is waited out. FAILED_PRECONDITION where the
  // directory holds something else.
  virtual absl::Status Download(const std::string& id, const std::string& directory,
                                const DownloadOptions& how) = 0;
  // Calls `show` with a row for every checkpoint that the ids stand for (none: all there are), as
  // they are read and compared with their manifests.
  virtual absl::Status VerifyCheckpoints(const std::vector<std::string>& ids,
                                         const std::function<void(const Json& row)>& show) = 0;
  // Answers within seconds or not at all.
  virtual absl::StatusOr<std::string> CoordinatorVersion() = 0;
  virtual const std::string& address() const = 0;
};

absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options);

}  // namespace scm::ctl
