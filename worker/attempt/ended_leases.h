// The latest attempts whose end the coordinator has acknowledged, kept in a file of the work
// directory: by them a coordinator whose store is older than that finds out. One thread.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "worker/link/messages.h"

namespace scm::worker {

class EndedLeases {
 public:
  static constexpr size_t kKept = 64;

  // Takes up what an earlier daemon left in `path`.
  explicit EndedLeases(std::string path);

  // A full disk leaves it unwritten; then only this daemon knows.
  void Add(const LeaseRef& lease);
  std::vector<LeaseRef> latest() const { return {leases_.begin(), leases_.end()}; }

 private:
  const std::string path_;
  std::deque<LeaseRef> leases_;
};

}  // namespace scm::worker
