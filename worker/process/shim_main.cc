// scm-attempt: started by scm-worker, one per attempt. No flag library: it must stay tiny.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "worker/process/shim.h"

namespace {

constexpr char kUsage[] =
    "usage: scm-attempt --dir DIRECTORY [--cpu-list N,N,…] [--kill-after-ms N] [--grace-ms N]\n"
    "                   [--user NAME] -- COMMAND [ARG…]\n"
    "Runs one attempt's trainer; started by scm-worker (docs/trainer-protocol.md).\n";

std::vector<int> ParseCpuList(const char* text) {
  std::vector<int> cpus;
  while (*text != '\0') {
    char* end;
    cpus.push_back(static_cast<int>(std::strtol(text, &end, 10)));
    if (end == text) return {};
    text = *end == ',' ? end + 1 : end;
  }
  return cpus;
}

}  // namespace

int main(int argc, char** argv) {
  scm::worker::ShimOptions options;
  int i = 1;
  for (; i + 1 < argc && std::strcmp(argv[i], "--") != 0; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--dir") {
      options.directory = argv[i + 1];
    } else if (flag == "--cpu-list") {
      options.cpus = ParseCpuList(argv[i + 1]);
    } else if (flag == "--user") {
      options.user = argv[i + 1];
    } else if (flag == "--kill-after-ms") {
      options.kill_after_milliseconds = std::atoi(argv[i + 1]);
    } else if (flag == "--grace-ms") {
      options.grace_milliseconds = std::atoi(argv[i + 1]);
    } else {
      break;
    }
  }
  if (i < argc && std::strcmp(argv[i], "--") == 0) {
    options.command.assign(argv + i + 1, argv + argc);
  }
  if (options.directory.empty() || options.command.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  // Whatever the daemon had open stays with the daemon.
  close_range(3, ~0U, 0);
  return scm::worker::RunShim(options);
}
