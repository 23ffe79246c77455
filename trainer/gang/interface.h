// The network interface of this host that has an address. Thread-safe.
#pragma once

#include <string>

namespace scm::gang {

// "eth0" for "10.0.0.7"; "" where none has it.
std::string InterfaceWithAddress(const std::string& address);

}  // namespace scm::gang
