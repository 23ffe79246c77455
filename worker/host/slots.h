// Which cores and GPUs of this host an attempt gets. Two OpenMP programs on the same cores slow
// each other down many times over, so concurrent attempts never share a core. Pure; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace scm::worker {

class Slots {
 public:
  // `count` CPU slots. `cores`: what the worker may use for itself alone; attempts are pinned only
  // if there is a core for every slot, else the kernel places them.
  Slots(int count, std::vector<int> cores);

  // Takes `cpus` slots and the named GPUs for `holder`; nullopt if they are not free now (an
  // attempt that is being killed may still hold them). The result is the cores to pin to, perhaps
  // empty. More slots than the worker has are cut down to all of them. Taking twice gives the same.
  // `gpu_share`: of each GPU, up to 1; what is taken of one comes to no more than 1.
  std::optional<std::vector<int>> Take(const std::string& holder, int cpus,
                                       const std::vector<int>& gpus, double gpu_share = 1);
  // For an attempt found after a restart: what it holds is marked as taken, whoever else holds it.
  void Adopt(const std::string& holder, int cpus, const std::vector<int>& cores,
             const std::vector<int>& gpus, double gpu_share = 1);
  void Release(const std::string& holder);
  int count() const { return count_; }
  // How often something was released: who waits may try again when this has grown.
  int64_t releases() const { return releases_; }

 private:
  struct Share {
    int cpus = 0;
    std::vector<int> cores, gpus;
    double gpu_share = 1;
  };
  int count_;
  bool pin_;
  int64_t releases_ = 0;
  std::vector<int> cores_;
  std::map<std::string, Share> shares_;
};

}  // namespace scm::worker
