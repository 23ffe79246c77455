// What trainers print, as files: logs/TASK/ATTEMPT.log, of ranks beyond the first ATTEMPT.RANK.log.
// Appends are idempotent by offset, so a worker that sends again after lost contact doubles
// nothing. Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"

namespace scm::rpc {

class LogStore {
 public:
  explicit LogStore(std::string directory) : directory_(std::move(directory)) {}

  // Bytes kept after the append. Data below that is skipped; a gap changes nothing.
  absl::StatusOr<int64_t> Append(const TaskId& task, int64_t attempt, int64_t rank, int64_t offset,
                                 absl::string_view data);
  // At most `limit` bytes of one attempt's rank 0; empty if there are none (yet).
  std::string Read(const TaskId& task, int64_t attempt, int64_t offset, int64_t limit) const;
  // The attempts of a task that left a log, in order.
  std::vector<int64_t> AttemptsOf(const TaskId& task) const;
  // After an older state was put back: logs of attempts beyond `attempts_of` their task (0: there
  // is no such task) get another name, so that new attempts of these numbers begin with empty ones.
  // Once, before the first Append.
  void SetAsideBeyond(const std::function<int64_t(const TaskId&)>& attempts_of);

 private:
  std::string PathOf(const TaskId& task, int64_t attempt, int64_t rank) const;

  const std::string directory_;
  std::mutex mutex_;
};

}  // namespace scm::rpc
