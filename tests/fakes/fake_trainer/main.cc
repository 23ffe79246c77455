// scm-fake-trainer: plays a scripted training behind the trainer protocol
// (docs/trainer-protocol.md), for tests of everything around a trainer. script.h lists what it can
// play.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "common/files.h"
#include "tests/fakes/fake_trainer/job.h"

namespace {

absl::StatusOr<scm::fake::Job> LoadJob() {
  const char* path = std::getenv("SCM_SPEC");
  if (path == nullptr) return absl::InvalidArgumentError("SCM_SPEC is not set");
  const absl::StatusOr<std::string> text = scm::ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<scm::Json> spec = scm::ParseJson(*text, path);
  if (!spec.ok()) return spec.status();
  const scm::Json& trainer = scm::MemberAt(scm::MemberAt(*spec, "parameters"), "trainer");
  const char* environment = std::getenv("SCM_FAKE");
  absl::StatusOr<scm::fake::Script> script = scm::fake::ParseScript(
      scm::MemberAt(trainer, "parameters"), environment == nullptr ? "" : environment);
  if (!script.ok()) return script.status();
  scm::fake::Job job;
  job.script = *script;
  job.kind = scm::StringAt(scm::MemberAt(*spec, "task"), "kind", "train");
  job.work_dir = scm::StringAt(*spec, "work_dir", ".");
  job.attempt = scm::IntegerAt(*spec, "attempt", 1);
  if (!scm::MemberAt(*spec, "runs").is_array()) {
    job.TakeSeed(scm::IntegerAt(scm::MemberAt(*spec, "run"), "seed", 1));
  }
  job.rank = scm::IntegerAt(scm::MemberAt(*spec, "resources"), "rank", 0);
  job.spec = *std::move(spec);
  return job;
}

int exit_code_of_sigterm = 0;

int Play(const scm::fake::Job& job, scm::fake::Protocol& protocol) {
  if (job.kind == "evaluate") return scm::fake::Evaluate(job, protocol);
  if (job.kind == "export") return scm::fake::Export(job, protocol);
  if (job.kind == "report") return scm::fake::WriteReport(job, protocol);
  return scm::fake::Train(job, protocol);
}

}  // namespace

int main() {
  const absl::StatusOr<scm::fake::Job> job = LoadJob();
  if (!job.ok()) {
    scm::fake::Protocol protocol(false);
    return scm::fake::Fail(protocol, "bad_input", std::string(job.status().message()));
  }
  if (job->script.ignore_sigterm && job->faulty()) signal(SIGTERM, SIG_IGN);
  if (job->script.sigterm_exit >= 0 && job->faulty()) {
    exit_code_of_sigterm = static_cast<int>(job->script.sigterm_exit);
    signal(SIGTERM, [](int) {
      constexpr char kAsked[] = "asked by SIGTERM\n";
      _exit(write(STDERR_FILENO, kAsked, sizeof kAsked - 1) < 0 ? 1 : exit_code_of_sigterm);
    });
  }
  scm::fake::Protocol protocol(job->script.bare_nan);
  const int code = Play(*job, protocol);
  while (job->script.hang_at_exit && job->faulty()) pause();
  return code;
}
