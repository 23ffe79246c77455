// Where the coordinator and workers of this machine keep their files: SCM_HOME, by default ~/.scm.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace scm::ctl {

struct LocalHome {
  std::string directory;
  std::string data_dir() const { return directory + "/coordinator"; }
  std::string user_token() const { return directory + "/tokens/user"; }
  std::string worker_token() const { return directory + "/tokens/worker"; }
  std::string state_file() const { return directory + "/local.json"; }
  std::string worker_dir(int number) const {
    return directory + "/workers/" + std::to_string(number);
  }
  std::string log(const std::string& name) const { return directory + "/logs/" + name + ".log"; }
};

LocalHome FindLocalHome();

// HOST:PORT of the local coordinator. NOT_FOUND says how to start one.
absl::StatusOr<std::string> LocalCoordinatorAddress(const LocalHome& home);

}  // namespace scm::ctl
