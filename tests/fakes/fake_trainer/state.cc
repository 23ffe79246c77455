#include "tests/fakes/fake_trainer/state.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"

namespace scm::fake {

TrainingState::TrainingState(int64_t seed, const std::string& recipe)
    : origin_(Sha256Hex(absl::StrCat(seed, "|", recipe))), value_(origin_) {}

void TrainingState::Advance() {
  ++step_;
  value_ = Sha256Hex(absl::StrCat(value_, "|", step_));
}

std::string TrainingState::Adapter(int64_t bytes) const {
  std::string adapter;
  for (int64_t block = 0; static_cast<int64_t>(adapter.size()) < bytes; ++block) {
    adapter += Sha256Hex(absl::StrCat(value_, "#", block));
  }
  adapter.resize(static_cast<size_t>(bytes));
  return adapter;
}

absl::Status TrainingState::Save(const std::string& directory, int64_t bytes) const {
  const std::string staging = directory + ".partial";
  SCM_RETURN_IF_ERROR(RemoveRecursively(staging));
  SCM_RETURN_IF_ERROR(MakeDirectories(staging));
  const Json state = {{"origin", origin_}, {"value", value_}, {"step", step_}};
  SCM_RETURN_IF_ERROR(WriteFileDurably(staging + "/adapter.bin", Adapter(bytes)));
  SCM_RETURN_IF_ERROR(WriteFileDurably(staging + "/state.json", state.dump()));
  SCM_RETURN_IF_ERROR(RemoveRecursively(directory));
  if (std::rename(staging.c_str(), directory.c_str()) != 0) {
    return absl::InternalError(absl::StrCat("cannot rename to ", directory));
  }
  return absl::OkStatus();
}

absl::Status TrainingState::Load(const std::string& directory, int64_t bytes) {
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(directory + "/state.json"));
  SCM_ASSIGN_OR_RETURN(const std::string adapter, ReadFile(directory + "/adapter.bin"));
  SCM_ASSIGN_OR_RETURN(const Json state, ParseJson(text, directory + "/state.json"));
  if (StringAt(state, "origin") != origin_) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " was made by another seed or other parameters"));
  }
  value_ = StringAt(state, "value");
  step_ = IntegerAt(state, "step", -1);
  if (step_ < 0 || adapter != Adapter(bytes)) {
    return absl::DataLossError(absl::StrCat(directory, ": adapter.bin does not fit state.json"));
  }
  return absl::OkStatus();
}

}  // namespace scm::fake
