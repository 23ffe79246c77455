#include "trainer/gang/nccl_errors.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/text.h"

namespace scm::gang {
namespace {

struct Known {
  std::vector<const char*> words;  // any of them, in any case
  const char* sentence;
};

// The first that fits counts: what is particular stands before what is general.
const std::vector<Known>& AllKnown() {
  static const auto* known = new std::vector<Known>{
      {{"no socket interface found", "no usable listening interface", "is neither af_inet",
        "nccl_socket_ifname interface"},
       "NCCL finds no network interface that it may use: set NCCL_SOCKET_IFNAME=INTERFACE in the "
       "environment of every worker to the one that leads to the others (`ip addr` lists them)"},
      {{"duplicate gpu detected"},
       "two ranks compute on the same GPU: give every rank one of its own; CUDA_VISIBLE_DEVICES "
       "of two workers on a host must not name the same"},
      {{"mismatched nccl version", "nccl library is too old", "not backwards compatible"},
       "the ranks load different versions of NCCL: install the same torch wheel on all workers, "
       "and look for another libnccl.so.2 in LD_LIBRARY_PATH"},
      {{"driver version is insufficient", "driver on your system is too old"},
       "there is no driver, or one that is older than the CUDA of the torch wheel: install or "
       "update it, or take the wheel of its CUDA"},
      {{"no gpus found", "no cuda-capable device", "no nvidia driver", "invalid device ordinal",
        "cuda driver library"},
       "libtorch sees no GPU in this process: install the driver, and look at CUDA_VISIBLE_DEVICES "
       "of the worker and at nvidia-smi"},
      {{"peer access", "failed to peer", "failed to open cuda ipc", "could not enable p2p",
        "invalid resource handle", "p2p/ipc", "cuda ipc"},
       "the GPUs of a host cannot read each other's memory: set NCCL_P2P_DISABLE=1 in the "
       "environment of its worker (in a virtual machine or container also let it see all its GPUs; "
       "with the IOMMU on, ACS must be off)"},
      {{"/dev/shm", "shared memory", "shm", "no space left on device"},
       "the host's shared memory is too small, or a container has little of it: give it some "
       "(--shm-size=1g or --ipc=host), or set NCCL_SHM_DISABLE=1"},
      {{"ibv_", "net/ib", "infiniband", "mlx5"},
       "InfiniBand fails: name the adapters with NCCL_IB_HCA, or set NCCL_IB_DISABLE=1 to go "
       "over TCP"},
      {{"connection refused", "connection timed out", "no route to host", "network is unreachable",
        "exceeded retries", "socket retries", "host is down"},
       "the hosts do not reach each other at the ports that NCCL has chosen: open all ports from "
       "1024 on between the workers, or name another network with NCCL_SOCKET_IFNAME=INTERFACE"},
      {{"closed by remote peer", "connection reset", "ncclremoteerror", "remote process exited",
        "broken pipe"},
       "another rank has broken off; its log says why, or the network between the workers was "
       "interrupted"},
      {{"out of memory"},
       "the GPU's memory is full before training begins: another process holds it (nvidia-smi "
       "lists them)"},
      {{"timed out", "timeout", "time out"},
       "NCCL was not ready in time: open all ports from 1024 on between the workers, and name the "
       "network with NCCL_SOCKET_IFNAME=INTERFACE; NCCL_P2P_DISABLE=1 where GPUs of a host wait "
       "for each other"},
  };
  return *known;
}

// What NCCL found, or the kind of failure, or whatever was said.
std::string Core(absl::string_view error) {
  std::string kind, first;
  bool last = false;
  for (absl::string_view line : absl::StrSplit(error, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (last) return std::string(line);
    if (first.empty()) first = std::string(line);
    if (kind.empty() && absl::StartsWith(line, "nccl")) kind = std::string(line);
    last = absl::StartsWithIgnoreCase(line, "last error:");
    if (!last) continue;
    line = absl::StripLeadingAsciiWhitespace(line.substr(sizeof("last error:") - 1));
    if (!line.empty()) return std::string(line);
  }
  return kind.empty() ? first : kind;
}

}  // namespace

std::string ExplainNccl(absl::string_view error) {
  const std::string lower = absl::AsciiStrToLower(error);
  const char* sentence = "NCCL fails for a reason of its own";
  for (const Known& known : AllKnown()) {
    bool fits = false;
    for (const char* word : known.words) fits |= absl::StrContains(lower, word);
    if (!fits) continue;
    sentence = known.sentence;
    break;
  }
  const std::string core = LineOf(Core(error), 300);
  return absl::StrCat(sentence,
                      ". With NCCL_DEBUG=INFO in a worker's environment the attempt's log says "
                      "more. NCCL's words: ",
                      core.empty() ? "none" : core);
}

}  // namespace scm::gang
