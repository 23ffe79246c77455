// A real scm-coordinator on a data directory. One thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "scm/v1/experiment.grpc.pb.h"
#include "scm/v1/worker.grpc.pb.h"

namespace scm::rpc {

class CoordinatorProcess {
 public:
  // `more`: further arguments.
  explicit CoordinatorProcess(std::string directory, std::vector<std::string> more = {})
      : directory_(std::move(directory)), more_(std::move(more)) {}
  ~CoordinatorProcess() { Kill(); }

  // Starts it and waits until it serves; "" or what went wrong.
  std::string Start();
  // SIGTERM, and waits; "" if it ended in good order.
  std::string Stop();
  // SIGKILL, as a power cut.
  void Kill();
  // "" while it lives; else how it ended.
  std::string HowItEnded();

  v1::ExperimentService::Stub& user() { return *user_; }
  v1::WorkerService::Stub& worker() { return *worker_; }
  int rpc_port() const { return rpc_port_; }
  int http_port() const { return http_port_; }
  // What it printed since the first start.
  std::string Log() const;

 private:
  const std::string directory_;
  const std::vector<std::string> more_;
  pid_t pid_ = -1;
  int rpc_port_ = 0, http_port_ = 0;
  std::unique_ptr<v1::ExperimentService::Stub> user_;
  std::unique_ptr<v1::WorkerService::Stub> worker_;
};

}  // namespace scm::rpc
