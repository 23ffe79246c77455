#include "trainer/gang/interface.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace scm::gang {
namespace {

// As a number, without the zone of an IPv6 address; "" for what has none.
std::string AddressOf(const sockaddr* address) {
  if (address == nullptr) return "";
  const bool v6 = address->sa_family == AF_INET6;
  if (!v6 && address->sa_family != AF_INET) return "";
  char text[NI_MAXHOST] = {};
  const socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (getnameinfo(address, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "";
  const std::string number = text;
  return number.substr(0, number.find('%'));
}

}  // namespace

std::string InterfaceWithAddress(const std::string& address) {
  const std::string wanted = address.substr(0, address.find('%'));
  ifaddrs* all = nullptr;
  if (wanted.empty() || getifaddrs(&all) != 0) return "";
  std::string name;
  for (const ifaddrs* one = all; one != nullptr && name.empty(); one = one->ifa_next) {
    if (AddressOf(one->ifa_addr) == wanted) name = one->ifa_name;
  }
  freeifaddrs(all);
  return name;
}

}  // namespace scm::gang
