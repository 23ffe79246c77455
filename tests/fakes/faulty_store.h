// A StateStore that fails on its n-th call, in front of a real one. Counts every call, so a test
// can first learn how many there are and then fail each in turn.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/store/state_store.h"

namespace scm::fake {

class FaultyStore : public store::StateStore {
 public:
  // `inner` outlives this.
  explicit FaultyStore(store::StateStore* inner) : inner_(inner) {}

  // Call number `call` (from 1, all kinds counted) returns `error`. With `applied` the inner store
  // does it nevertheless: a commit whose answer was lost.
  void FailCall(int64_t call, absl::Status error, bool applied = false) {
    fail_at_ = call;
    error_ = std::move(error);
    applied_ = applied;
  }
  // From call `call` on every commit is refused with RESOURCE_EXHAUSTED, until Recover().
  void FillDiskAt(int64_t call) { full_from_ = call; }
  void Recover() { full_from_ = fail_at_ = 0; }
  int64_t calls() const { return calls_; }

  absl::Status Commit(const store::WriteBatch& batch) override {
    const int64_t call = ++calls_;
    if (full_from_ > 0 && call >= full_from_) {
      return absl::ResourceExhaustedError("the disk is full (injected)");
    }
    if (call != fail_at_) return inner_->Commit(batch);
    if (applied_) inner_->Commit(batch).IgnoreError();
    return error_;
  }
  absl::StatusOr<store::StoredState> Load() override {
    if (++calls_ == fail_at_) return error_;
    return inner_->Load();
  }
  absl::StatusOr<std::vector<store::StoredMetric>> ReadMetrics(absl::string_view run, int64_t after,
                                                               int64_t limit) override {
    if (++calls_ == fail_at_) return error_;
    return inner_->ReadMetrics(run, after, limit);
  }
  absl::StatusOr<std::vector<store::EventRow>> ReadEvents(absl::string_view experiment,
                                                          int64_t after, int64_t limit) override {
    if (++calls_ == fail_at_) return error_;
    return inner_->ReadEvents(experiment, after, limit);
  }
  store::StoreCheck Check(absl::Duration allowed) override { return inner_->Check(allowed); }

 private:
  store::StateStore* inner_;
  int64_t calls_ = 0, fail_at_ = 0, full_from_ = 0;
  absl::Status error_;
  bool applied_ = false;
};

}  // namespace scm::fake
