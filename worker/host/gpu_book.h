// The GPUs that this worker offers, while the driver loses some and finds them again. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/link/messages.h"

namespace scm::worker {

// A GPU is known by its UUID. Its index stays what it was when it was first seen, also where the
// driver counts anew because another one is gone: leases name indexes.
class GpuBook {
 public:
  // `visible`: CUDA_VISIBLE_DEVICES of this process; null: all of them.
  explicit GpuBook(const char* visible = nullptr);

  // Before the first Observe: an attempt of an earlier daemon holds this GPU by this index.
  void Keep(const std::string& uuid, int index);
  // What the driver lists now. A sentence for each GPU of those offered that has gone or come
  // since.
  std::vector<std::string> Observe(const std::vector<Gpu>& listed);

  const std::vector<Gpu>& offered() const { return offered_; }
  // UUIDs of granted GPUs, gone ones included, "" where a GPU has none.
  std::vector<std::string> UuidsOf(const std::vector<int>& indexes) const;
  std::optional<int> IndexOf(const std::string& uuid) const;
  // A sentence if one of these was offered once and is gone, else "".
  std::string Missing(const std::vector<std::string>& uuids) const;

 private:
  int IndexFor(const Gpu& gpu, const std::vector<Gpu>& listed) const;
  bool IsOffered(const std::string& uuid) const;

  const std::optional<std::string> visible_;
  std::map<std::string, int> indexes_;  // by UUID
  std::vector<Gpu> known_;              // all that were ever seen, as they were seen last
  std::vector<Gpu> offered_;
  bool observed_ = false;
};

}  // namespace scm::worker
