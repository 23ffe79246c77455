#include "coordinator/rpc/stream_limits.h"

#include "absl/strings/str_cat.h"

namespace scm::rpc {
namespace {

struct Limit {
  const char* what;
  int each, all;
};

// A worker moves three files at once; a person watches a few experiments.
const Limit& LimitOf(StreamKind kind) {
  static constexpr Limit kLimits[] = {{"open watches and logs of one host", 64, 256},
                                      {"uploads of one worker at once", 16, 256},
                                      {"downloads of one host at once", 64, 256},
                                      {"sessions of workers on one host", 512, 4096}};
  return kLimits[static_cast<size_t>(kind)];
}

}  // namespace

absl::StatusOr<StreamLimits::Ticket> StreamLimits::Take(StreamKind kind, const std::string& who) {
  const Limit& limit = LimitOf(kind);
  const std::lock_guard lock(mutex_);
  int& mine = open_[{kind, who}];
  int& all = total_[static_cast<size_t>(kind)];
  const bool too_many = mine >= limit.each;
  if (too_many || all >= limit.all) {
    if (mine == 0) open_.erase({kind, who});
    return absl::ResourceExhaustedError(
        absl::StrCat("too many ", limit.what, ": at most ", limit.each,
                     too_many ? absl::StrCat(", and ", who, " has as many")
                              : absl::StrCat(", and ", limit.all, " of all together are open")));
  }
  ++mine;
  ++all;
  Ticket ticket;
  ticket.limits_ = this;
  ticket.kind_ = kind;
  ticket.who_ = who;
  return ticket;
}

StreamLimits::Ticket::~Ticket() {
  if (limits_ == nullptr) return;
  const std::lock_guard lock(limits_->mutex_);
  --limits_->total_[static_cast<size_t>(kind_)];
  const auto mine = limits_->open_.find({kind_, who_});
  if (--mine->second == 0) limits_->open_.erase(mine);
}

std::string HostOfPeer(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace scm::rpc
