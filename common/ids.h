// Strong identifier types. Ids are made by the coordinator only: a prefix letter, a dash and a
// counter ("r-21"), so they are short, can be typed and are safe as path components.
#pragma once

#include <compare>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

namespace scm {

template <char kPrefix>
class Id {
 public:
  static constexpr char prefix = kPrefix;
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}
  static Id FromNumber(int64_t n) { return Id(std::string(1, kPrefix) + "-" + std::to_string(n)); }

  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  bool operator==(const Id&) const = default;
  // Shorter first, so that "r-9" comes before "r-10".
  std::strong_ordering operator<=>(const Id& other) const {
    if (value_.size() != other.value_.size()) return value_.size() <=> other.value_.size();
    return value_ <=> other.value_;
  }
  friend std::ostream& operator<<(std::ostream& out, const Id& id) { return out << id.value_; }
  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  std::string value_;
};

using ExperimentId = Id<'e'>;
using TrialId = Id<'t'>;
using RunId = Id<'r'>;
using TaskId = Id<'k'>;
using CertificateId = Id<'c'>;
using WorkerId = Id<'w'>;
using LeaseId = Id<'l'>;

}  // namespace scm
