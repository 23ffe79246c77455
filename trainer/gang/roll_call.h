// How the ranks of an attempt find each other: rank 0 listens at the rendezvous, the others come
// there and say who they are. Nobody is in until all are. Rank 0 then says whether they fit
// together, and where the gang's store is. The connections stay open, for signs of life
// (trainer/gang/liveness.h).
//
// A line each way: {"gang","rank","host","address","alike"} and {"address","store","hosts"} or
// {"refused"}. Who names another gang (what is left of an earlier attempt) is sent away, and the
// roll call goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trainer/gang/line_socket.h"

namespace scm::gang {

// Where rank 0 listens, as the others reach it.
struct Rendezvous {
  std::string host;
  int64_t port = 0;
};

struct Member {
  int64_t rank = 0, world_size = 1;
  std::string gang;  // the attempt's name, which no other attempt has
  std::string host;  // of this process, for people
  // What must be the same for all ranks, with its name for people: {"version of scm-trainer", "1"}.
  std::vector<std::pair<std::string, std::string>> alike = {};
};

struct Circle {
  std::vector<std::string> hosts;  // by rank
  std::string address;             // at which the others reach this rank
  std::string store_address;       // of rank 0
  int64_t store_port = 0;
  // Of rank 0: to every other rank, by rank, the first one closed. Of the others: to rank 0.
  std::vector<LineSocket> sockets;
};

struct Patience {
  absl::Duration join = absl::Minutes(5);     // until all ranks are there
  absl::Duration resolve = absl::Seconds(8);  // until the host of rank 0 has an address
  std::function<bool()> go_on = nullptr;      // asked often; false ends with CANCELLED
};

// Waits for all. `store_port` is read of rank 0 alone, which tells it to the others. UNAVAILABLE
// when somebody is missing at the end, or the ranks do not fit together.
absl::StatusOr<Circle> CallRoll(const Rendezvous& rendezvous, const Member& member,
                                int64_t store_port, const Patience& patience);

// "rank 2 (worker-b)".
std::string NameOfRank(int64_t rank, const std::string& host);

}  // namespace scm::gang
