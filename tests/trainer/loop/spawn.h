// A program behind the trainer protocol, run as a real process.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "common/json.h"

namespace scm::testing {

class ProtocolProcess {
 public:
  // Starts SCM_BIN_DIR/`program` with `spec` as its work order; reports go to a file beside it.
  // `more`: of its environment, "NAME=value".
  ProtocolProcess(const std::string& program, const Json& spec, const std::string& report_path,
                  const std::vector<std::string>& more = {});
  // Kills the process if it still runs.
  ~ProtocolProcess();
  ProtocolProcess(const ProtocolProcess&) = delete;
  ProtocolProcess& operator=(const ProtocolProcess&) = delete;

  // Waits until a report satisfies `wanted` or the process has ended; false in the latter case.
  bool WaitFor(const std::function<bool(const Json&)>& wanted);
  void Send(const std::string& line);
  void Kill(int signal);
  // Waits for the end; the exit code, or 128 + signal.
  int Wait();
  // Whole lines reported so far.
  std::vector<Json> Reports() const;
  std::vector<Json> OfType(const std::string& type) const;

 private:
  bool Ended();

  std::string report_path_;
  pid_t pid_ = -1;
  int input_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

// Runs the program to its end and returns its reports; fails the test when the exit code differs.
std::vector<Json> RunProtocol(const std::string& program, const Json& spec,
                              const std::string& report_path, int exit_code = 0,
                              const std::vector<std::string>& more = {});
std::vector<Json> OfType(const std::vector<Json>& reports, const std::string& type);

}  // namespace scm::testing
