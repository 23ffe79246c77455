#include "worker/options.h"

#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/text.h"
#include "common/utf8.h"
#include "common/version.h"

namespace scm::worker {
namespace {

constexpr int kMaxCore = CPU_SETSIZE - 1;

ParsedOptions Fail(const std::string& message) {
  std::fprintf(stderr, "scm-worker: %s\n", message.c_str());
  return {{}, true, 2};
}

}  // namespace

absl::StatusOr<std::vector<int>> ParseCoreList(const std::string& text) {
  std::vector<int> cores;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, absl::MaxSplits('-', 1));
    int first, last;
    if (!absl::SimpleAtoi(ends[0], &first) || !absl::SimpleAtoi(ends.back(), &last) || first < 0 ||
        last < first || last > kMaxCore) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", part, "\" is no core or range of cores; expected e.g. 0-3,8"));
    }
    for (int core = first; core <= last; ++core) cores.push_back(core);
  }
  return cores;
}

std::vector<int> AffinityCores() {
  std::vector<int> cores;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (int core = 0; core <= kMaxCore; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

ParsedOptions ParseWorkerOptions(int argc, const char* const* argv) {
  WorkerOptions options;
  std::string core_list;
  double orphan_seconds = absl::ToDoubleSeconds(options.orphan_timeout);
  double shutdown_seconds = absl::ToDoubleSeconds(options.shutdown_grace);
  double exit_seconds = absl::ToDoubleSeconds(options.exit_grace);
  double upload_seconds = absl::ToDoubleSeconds(options.upload_patience);
  CLI::App app("Runs attempts of training tasks on this host for an scm coordinator.",
               "scm-worker");
  app.set_version_flag("--version", kVersion);
  app.add_option("--coordinator", options.coordinator, "HOST:PORT of the coordinator")
      ->capture_default_str();
  app.add_option("--token-file", options.token_file, "File holding the worker token")
      ->envname("SCM_TOKEN_FILE");
  app.add_option("--tls-ca", options.tls_ca,
                 "PEM file of the coordinator's certificate authority; without it only loopback "
                 "addresses are dialled")
      ->envname("SCM_TLS_CA");
  app.add_option("--work-dir", options.work_dir, "Directory for attempts and local copies")
      ->required();
  app.add_option("--cpus", options.cpus, "CPU slots to offer (default: all cores it may use)")
      ->check(CLI::PositiveNumber);
  app.add_option(
      "--cpu-list", core_list,
      "Cores that are this worker's own (0-3,8); attempts are pinned to them. Without it "
      "they are pinned only when every core of the process is offered");
  app.add_option("--allow-trainer", options.allowed,
                 "Absolute path of a program that experiments may run (repeatable)")
      ->expected(1)
      ->take_all();
  app.add_option("--orphan-timeout", orphan_seconds,
                 "Seconds for which a trainer may go on without contact to the coordinator")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--shutdown-grace", shutdown_seconds,
                 "Seconds that trainers have to write a checkpoint and stop when this worker is "
                 "told to end; their files then have as long again")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--exit-grace", exit_seconds,
                 "Seconds that a trainer has to exit after its last word (done, stopped, failed)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--upload-patience", upload_seconds,
                 "Seconds for which files are offered to a coordinator that has no room for them")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--min-free-bytes", options.min_free_bytes,
                 "Attempts wait with their start while the disk of --work-dir has less room")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--trainer-user", options.trainer_user,
                 "Run trainers as this user, who cannot read the daemon's token; takes root or the "
                 "capabilities that docs/deploy.md names");
  app.add_option("--nvml", options.nvml, "NVIDIA management library to load")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {{}, true, app.exit(error) == 0 ? 0 : 2};
  }
  const std::string here = std::filesystem::current_path().string();
  options.work_dir = AbsolutePath(options.work_dir, here);
  if (FirstInvalidUtf8(options.work_dir) != std::string::npos) {
    return Fail(absl::StrCat("--work-dir ", LineOf(options.work_dir),
                             ": its name is not UTF-8, and trainers are told it in JSON"));
  }
  for (std::string& path : options.allowed) path = AbsolutePath(path, here);
  options.orphan_timeout = absl::Seconds(orphan_seconds);
  options.shutdown_grace = absl::Seconds(shutdown_seconds);
  options.exit_grace = absl::Seconds(exit_seconds);
  options.upload_patience = absl::Seconds(upload_seconds);
  const std::vector<int> affinity = AffinityCores();
  if (options.cpus == 0) options.cpus = std::max<int>(1, static_cast<int>(affinity.size()));
  if (!core_list.empty()) {
    const absl::StatusOr<std::vector<int>> cores = ParseCoreList(core_list);
    if (!cores.ok()) return Fail(absl::StrCat("--cpu-list: ", cores.status().message()));
    options.cores = *cores;
  } else if (options.cpus == static_cast<int>(affinity.size())) {
    // Otherwise another worker may have been given the same cores.
    options.cores = affinity;
  }
  return {options};
}

}  // namespace scm::worker
