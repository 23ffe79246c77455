#include "coordinator/rpc/doctor.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/human.h"

namespace scm::rpc {
namespace {

constexpr size_t kNamed = 5;  // of a list; the rest is counted
constexpr std::chrono::seconds kBlobTime(5);
// Room that a few checkpoints may take within the hour.
constexpr int64_t kLittleRoom = int64_t{1} << 30;

v1::HealthCheck Check(const char* name, const char* state, const std::string& text,
                      const std::string& advice = "") {
  v1::HealthCheck check;
  check.set_check(name);
  check.set_state(state);
  check.set_text(text);
  if (!advice.empty()) check.set_advice(advice);
  return check;
}

std::string Listed(std::vector<std::string> names) {
  const size_t all = names.size();
  names.resize(std::min(kNamed, all));
  return absl::StrCat(absl::StrJoin(names, "; "),
                      all > kNamed ? absl::StrCat("; and ", all - kNamed, " more") : "");
}

v1::HealthCheck CheckStoreBytes(const state::Snapshot& snapshot, const state::StoreHealth& health) {
  const std::string at =
      absl::StrCat("looked through at ", Rfc3339(snapshot.timeline->Stamp(health.checked_at)));
  if (!health.check.problems.empty()) {
    return Check("store", "problem", absl::StrCat(Listed(health.check.problems), " (", at, ")"),
                 "stop the coordinator, keep a copy of its data directory, and restore a back-up "
                 "(docs/deploy.md)");
  }
  if (!health.check.unchecked.empty()) {
    return Check("store", "ok",
                 absl::StrCat(at, "; the time did not suffice for ",
                              absl::StrJoin(health.check.unchecked, ", "),
                              ", which are looked through at a start"));
  }
  return Check("store", "ok", at);
}

v1::HealthCheck CheckRows(const state::StoreHealth& health) {
  if (health.set_aside.empty()) return Check("rows", "ok", "every stored row could be read");
  std::vector<std::string> names;
  for (const state::SetAsideRow& row : health.set_aside) {
    names.push_back(absl::StrCat(row.table, " ", row.id, ": ", row.reason));
  }
  return Check("rows", "problem",
               absl::StrCat(health.set_aside.size(), " set aside at the start: ", Listed(names)),
               "the rows are kept in scm.db as they are: restore a back-up, or submit what they "
               "belonged to again");
}

struct BlobLook {
  size_t looked = 0, all = 0;
  std::vector<std::string> lacking;
};

// Whether what a row names lies in the checkpoint store, with the manifest that was committed.
template <typename Map>
void LookFor(const Map& rows, checkpoint::CheckpointStore& store,
             std::chrono::steady_clock::time_point end, BlobLook& look) {
  for (const auto& row : rows) {
    const auto& id = row.first;
    const auto& record = row.second;
    if constexpr (requires { record->deleted; }) {
      if (record->deleted) continue;
    }
    ++look.all;
    if (std::chrono::steady_clock::now() >= end) continue;
    ++look.looked;
    const absl::StatusOr<checkpoint::CommittedBlob> blob = store.Find(id);
    if (!blob.ok()) {
      look.lacking.push_back(absl::StrCat(id, ": ", blob.status().message()));
    } else if (blob->sha256 != record->sha256) {
      look.lacking.push_back(absl::StrCat(id, ": its manifest is not the one that was committed"));
    }
  }
}

v1::HealthCheck CheckBlobs(const state::Snapshot& snapshot, checkpoint::CheckpointStore& store) {
  BlobLook look;
  const auto end = std::chrono::steady_clock::now() + kBlobTime;
  LookFor(*snapshot.checkpoints, store, end, look);
  LookFor(*snapshot.artifacts, store, end, look);
  const std::string text =
      look.looked == look.all
          ? absl::StrCat(look.all, " checkpoints and artifacts have their files' manifests")
          : absl::StrCat("the first ", look.looked, " of ", look.all,
                         " checkpoints and artifacts have their files' manifests");
  if (look.lacking.empty()) return Check("checkpoints", "ok", text);
  return Check("checkpoints", "problem", absl::StrCat("not as committed: ", Listed(look.lacking)),
               "restore the directory `checkpoints` of the data directory together with scm.db, "
               "or restart the coordinator, which then uses earlier checkpoints");
}

v1::HealthCheck CheckDisk(const ServiceDependencies& dependencies,
                          const state::Snapshot& snapshot) {
  const absl::StatusOr<int64_t> free = dependencies.free_bytes();
  if (!free.ok()) {
    return Check("disk", "warning", absl::StrCat("free room unknown: ", free.status().message()),
                 "look at the file system below the data directory, and at the coordinator's log");
  }
  const std::string text = absl::StrCat(HumanBytes(*free), " free in the data directory");
  const std::string advice =
      "free some space there; `scmctl checkpoints gc ID` removes checkpoints that nothing needs";
  if (*free < dependencies.min_free_bytes || snapshot.store_full) {
    return Check("disk", "problem", absl::StrCat(text, ": nothing new is taken"), advice);
  }
  return *free < kLittleRoom ? Check("disk", "warning", text, advice) : Check("disk", "ok", text);
}

v1::HealthCheck CheckWorkers(const state::Snapshot& snapshot) {
  std::map<std::string, std::vector<std::string>> by_state;
  for (const auto& [id, worker] : *snapshot.workers) {
    by_state[WorkerStateName(worker->state)].push_back(
        absl::StrCat(id.str(), " on ", worker->host));
  }
  if (by_state.empty()) {
    return Check("workers", "problem", "none has registered: nothing can run",
                 "`scmctl local up --workers 1` starts one here; docs/deploy.md says how others "
                 "join");
  }
  std::vector<std::string> parts;
  for (const auto& [state, names] : by_state) {
    parts.push_back(state == "READY"
                        ? absl::StrCat(names.size(), " READY")
                        : absl::StrCat(names.size(), " ", state, " (", Listed(names), ")"));
  }
  const std::string text = absl::StrJoin(parts, ", ");
  if (!by_state.contains("READY")) {
    return Check("workers", "problem", absl::StrCat(text, ": nothing new can run"),
                 "`scmctl why WORKER` says why one takes no work");
  }
  if (by_state.size() == 1) return Check("workers", "ok", text);
  return Check("workers", "warning", text, "`scmctl why WORKER` says why one takes no work");
}

}  // namespace

v1::HealthAnswer DoctorView(const state::Snapshot& snapshot, const state::StoreHealth& health,
                            const ServiceDependencies& dependencies) {
  v1::HealthAnswer answer;
  answer.set_now(Rfc3339(snapshot.timeline->Stamp(snapshot.at)));
  answer.set_version(dependencies.version);
  *answer.add_checks() = CheckStoreBytes(snapshot, health);
  *answer.add_checks() = CheckRows(health);
  *answer.add_checks() = CheckBlobs(snapshot, *dependencies.checkpoints);
  *answer.add_checks() = CheckDisk(dependencies, snapshot);
  *answer.add_checks() = CheckWorkers(snapshot);
  return answer;
}

}  // namespace scm::rpc
