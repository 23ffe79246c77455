#include "worker/process/trainer_user.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/process_stat.h"
#include "common/status_macros.h"

namespace scm::worker {
namespace {

// Numbers of <linux/capability.h>: to hand over files, to read and remove what trainers made, to
// end them, and to become them.
constexpr uint64_t kNeeded = 1u << 0 | 1u << 1 | 1u << 5 | 1u << 6 | 1u << 7;

uint64_t Capabilities() {
  const std::string status = ReadSmallFile("/proc/self/status");
  const size_t line = status.find("CapEff:");
  return line == status.npos ? 0 : std::strtoull(status.c_str() + line + 7, nullptr, 16);
}

}  // namespace

absl::StatusOr<TrainerUser> FindTrainerUser(const std::string& name) {
  const passwd* user = getpwnam(name.c_str());
  if (user == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("--trainer-user: there is no user ", name,
                                                   " on this host; make one with "
                                                   "`useradd --system ",
                                                   name, "`"));
  }
  if (user->pw_uid == 0 || user->pw_uid == geteuid()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--trainer-user: ", name, " is ", user->pw_uid == 0 ? "root" : "this daemon's own user",
        "; name one that can read nothing of the daemon's"));
  }
  if ((Capabilities() & kNeeded) != kNeeded) {
    return absl::FailedPreconditionError(
        "--trainer-user needs the capabilities CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID "
        "and CAP_SETUID (docs/deploy.md has the lines for systemd)");
  }
  return TrainerUser{name, user->pw_dir};
}

absl::Status OpenToTrainers(const std::string& work_dir) {
  umask(022);
  for (const char* part : {"", "/attempts", "/cache"}) {
    const std::string path = work_dir + part;
    SCM_RETURN_IF_ERROR(MakeDirectories(path));
    if (chmod(path.c_str(), 0711) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot change the mode of ", path));
    }
  }
  return absl::OkStatus();
}

}  // namespace scm::worker
