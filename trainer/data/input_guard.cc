#include "trainer/data/input_guard.h"

#include <algorithm>
#include <cstdio>

#include "common/status_macros.h"

namespace scm::trainer {

const corpus::InputRecord* InputGuard::Find(const std::string& path) {
  const corpus::InputRecord* record = corpus::FindRecord(spec_.recorded, path);
  if (record != nullptr) return record;
  if (std::find(unrecorded_.begin(), unrecorded_.end(), path) == unrecorded_.end()) {
    std::fprintf(stderr, "%s was not recorded at submission, so nobody knows whether it changed\n",
                 path.c_str());
    unrecorded_.push_back(path);
  }
  return nullptr;
}

absl::Status InputGuard::Check(const std::string& path) {
  const corpus::InputRecord* record = Find(path);
  if (record == nullptr) return absl::OkStatus();
  SCM_RETURN_IF_ERROR(corpus::CheckInput(*record, digests_));
  if (std::find(compared_.begin(), compared_.end(), record) == compared_.end()) {
    compared_.push_back(record);
  }
  return absl::OkStatus();
}

absl::Status InputGuard::CheckRead(const std::string& path, const std::string& sha256) {
  const corpus::InputRecord* record = Find(path);
  if (record == nullptr || record->sha256 == sha256) return absl::OkStatus();
  // Which of its files it is, if that can still be seen.
  SCM_RETURN_IF_ERROR(corpus::CheckInput(*record, digests_));
  return corpus::CheckWhatWasRead(*record, sha256);
}

Json InputGuard::Compared() const {
  Json list = Json::array();
  for (const corpus::InputRecord* record : compared_) {
    list.push_back({{"key", record->key}, {"path", record->path}, {"sha256", record->sha256}});
  }
  return list;
}

}  // namespace scm::trainer
