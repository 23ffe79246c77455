#include "tests/coordinator/rpc/mutations.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace scm::rpc {
namespace {

Json HostileValue(Philox& rng) {
  switch (rng.Below(9)) {
    case 0:
      return nullptr;
    case 1:
      return rng.Below(2) == 0;
    case 2:
      return HostileInteger(rng);
    case 3:
      return HostileReal(rng);
    case 4:
      return Json::array();
    case 5:
      return Json::object();
    case 6: {
      Json nested = 1;
      for (uint64_t i = rng.Below(200); i > 0; --i) nested = Json::array({std::move(nested)});
      return nested;
    }
    default:
      return HostileText(rng);
  }
}

}  // namespace

const std::string& Pick(const std::vector<std::string>& from, Philox& rng) {
  return from[rng.Below(from.size())];
}

std::string HostileText(Philox& rng) {
  static const auto* const pieces = new std::vector<std::string>{"",
                                                                 "x",
                                                                 "caf\xe9",
                                                                 "\xc3",
                                                                 "\xff\xfe",
                                                                 std::string(1, '\0'),
                                                                 "\x1b[2J\x1b]0;t\x07",
                                                                 "\xed\xa0\xbd",
                                                                 "\xe2\x80\xaetxt",
                                                                 "../../etc/passwd",
                                                                 "/",
                                                                 "\n",
                                                                 "\"",
                                                                 "\\ud83d",
                                                                 "%s%n",
                                                                 "e-1",
                                                                 "r-1",
                                                                 "k-1",
                                                                 "NaN",
                                                                 "{",
                                                                 "'; DROP TABLE runs; --",
                                                                 "ñandú",
                                                                 std::string(5000, 'a'),
                                                                 std::string(300, '\xf1')};
  std::string text;
  for (uint64_t i = 1 + rng.Below(3); i > 0; --i) text += Pick(*pieces, rng);
  return text;
}

int64_t HostileInteger(Philox& rng) {
  constexpr int64_t kNumbers[] = {0,
                                  1,
                                  -1,
                                  7,
                                  1'000'000'000'000'000'000,
                                  std::numeric_limits<int64_t>::max(),
                                  std::numeric_limits<int64_t>::min(),
                                  int64_t{1} << 53,
                                  -2147483649};
  return kNumbers[rng.Below(std::size(kNumbers))];
}

double HostileReal(Philox& rng) {
  const double numbers[] = {0.5,
                            -0.0,
                            1e308,
                            -1e308,
                            5e-324,
                            std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity()};
  return numbers[rng.Below(std::size(numbers))];
}

std::string MutatedBytes(std::string bytes, Philox& rng) {
  for (uint64_t i = 1 + rng.Below(3); i > 0; --i) {
    const size_t at = rng.Below(bytes.size() + 1);
    switch (rng.Below(5)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(rng.Next32());
        break;
      case 1:
        bytes.insert(at, HostileText(rng));
        break;
      case 2:
        bytes.erase(at, rng.Below(8));
        break;
      case 3:
        bytes.insert(at, bytes.substr(rng.Below(bytes.size() + 1), rng.Below(64)));
        break;
      default:
        if (rng.Below(4) == 0) bytes.resize(at);
    }
  }
  return bytes;
}

Json MutatedJson(const Json& json, Philox& rng) {
  if (!json.is_structured() || json.empty() || rng.Below(6) == 0) return HostileValue(rng);
  Json out = json;
  const size_t at = rng.Below(json.size());
  if (json.is_array()) {
    out[at] = MutatedJson(json[at], rng);
    return out;
  }
  auto member = out.begin();
  std::advance(member, static_cast<int64_t>(at));
  const std::string key = member.key();
  if (rng.Below(8) == 0) {
    out.erase(key);
    if (rng.Below(2) == 0) out[HostileText(rng)] = 1;
  } else {
    out[key] = MutatedJson(json.at(key), rng);
  }
  return out;
}

}  // namespace scm::rpc
