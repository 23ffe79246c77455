#include "trainer/protocol/attempt_main.h"

#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/version.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::trainer {
namespace {

constexpr char kProtocolHelp[] =
    "Protocol (docs/trainer-protocol.md): the work order is the JSON file named by SCM_SPEC, or "
    "the "
    "argument.\nReports are JSON lines written to the descriptor SCM_REPORT_FD, or to standard "
    "output without it.\nCommands are JSON lines on standard input: {\"cmd\":\"checkpoint\"} and "
    "{\"cmd\":\"stop\",\"checkpoint\":true}; SIGTERM and SIGINT mean the latter.\nThe exit code is "
    "0 after \"done\" or \"stopped\", 1 "
    "after \"failed\".";

absl::StatusOr<JobSpec> ReadSpec(const std::string& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(
        "no work order: set SCM_SPEC to the path of one, or name it as the argument");
  }
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(JobSpec spec, ParseJobSpec(text, path));
  if (const char* cache = std::getenv("SCM_DIGEST_CACHE"); cache != nullptr) {
    spec.digest_cache = cache;
  }
  return spec;
}

absl::Status RunReported(const AttemptProgram& program, const std::string& path, int end_signals,
                         Reporter* reporter) {
  SCM_RETURN_IF_ERROR(reporter->Started());
  SCM_ASSIGN_OR_RETURN(const JobSpec spec, ReadSpec(path));
  SCM_RETURN_IF_ERROR(MakeDirectories(spec.work_dir));
  CommandQueue commands;
  CommandReader reader(STDIN_FILENO, &commands, end_signals);
  return program.run(spec, reporter, &commands, &RealClock());
}

// No attempt: nothing is reported, and nothing written but to standard output.
int DryRun(const AttemptProgram& program, const std::string& path) {
  std::string text;
  const absl::Status status = TorchGuarded([&]() -> absl::Status {
    SCM_ASSIGN_OR_RETURN(const JobSpec spec, ReadSpec(path));
    SCM_ASSIGN_OR_RETURN(text, program.dry_run(spec));
    return absl::OkStatus();
  });
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", program.name.c_str(), std::string(status.message()).c_str());
    return 1;
  }
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

// What is large comes from the system and goes back to it. By itself glibc moves that limit up to
// 32 MiB as buffers come and go, and then holes in its heap stay resident: a tenth of what a small
// model takes. Before the first of them, or the limit has moved.
void ReturnLargeBuffers() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

}  // namespace

void EndAttempt(Reporter* reporter, const absl::Status& why) {
  const std::string message(why.message());
  std::fprintf(stderr, "%s\n", message.c_str());
  reporter->Failed(FailureKind(why), message).IgnoreError();
  std::_Exit(1);
}

int RunAttemptProgram(const AttemptProgram& program, int argc, char** argv) {
  ReturnLargeBuffers();
  CLI::App app(program.description, program.name);
  app.footer(kProtocolHelp);
  std::string path;
  if (const char* spec = std::getenv("SCM_SPEC"); spec != nullptr) path = spec;
  app.add_option("SPEC", path, "path of the work order; default: SCM_SPEC");
  bool dry = false;
  if (program.dry_run) {
    app.add_flag("--dry-run", dry,
                 "check the model's tensors and print what the run takes in memory, by kind");
  }
  app.set_version_flag("--version", absl::StrCat(program.name, " ", kVersion));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (dry) return DryRun(program, path);
  // A report to a closed pipe must be an error that is handled, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const int end_signals = TakeEndSignals();
  const absl::StatusOr<int> descriptor = ReportDescriptor();
  if (!descriptor.ok()) {
    std::fprintf(stderr, "%s: %s\n", program.name.c_str(),
                 std::string(descriptor.status().message()).c_str());
    return 2;
  }
  Reporter reporter(*descriptor);
  const absl::Status status =
      TorchGuarded([&] { return RunReported(program, path, end_signals, &reporter); });
  if (status.ok()) return 0;
  const std::string message(status.message());
  std::fprintf(stderr, "%s: %s\n", program.name.c_str(), message.c_str());
  if (absl::Status told = reporter.Failed(FailureKind(status), message); !told.ok()) {
    std::fprintf(stderr, "%s: %s\n", program.name.c_str(), std::string(told.message()).c_str());
  }
  return 1;
}

}  // namespace scm::trainer
