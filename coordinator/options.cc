#include "coordinator/options.h"

#include <CLI/CLI.hpp>

#include "common/version.h"

namespace scm::coordinator {

int ParseCoordinatorOptions(int argc, char** argv, CoordinatorOptions* options) {
  CLI::App app(
      "Schedules experiments over workers and keeps their state.\n"
      "`scmctl local up` starts one on this machine; docs/deploy.md says how two hosts "
      "are joined.");
  app.set_version_flag("--version", kVersion);
  app.add_option("--data-dir", options->data_dir,
                 "Directory of the database, checkpoints and logs; resumed if it exists")
      ->required();
  app.add_option("--listen", options->listen, "HOST:PORT for scmctl and workers; port 0 = any")
      ->capture_default_str();
  app.add_option("--metrics-listen", options->metrics_listen,
                 "HOST:PORT of /metrics, /healthz and /readyz; loopback only")
      ->capture_default_str();
  app.add_option("--user-token-file", options->user_token_file,
                 "File with the token that scmctl must present (mode 600)");
  app.add_option("--worker-token-file", options->worker_token_file,
                 "File with the token that workers must present (mode 600)");
  auto* cert = app.add_option("--tls-cert", options->tls_cert, "PEM certificate chain");
  auto* key = app.add_option("--tls-key", options->tls_key, "PEM private key");
  cert->needs(key);
  key->needs(cert);
  app.add_option("--lease-ttl-seconds", options->lease_ttl_seconds,
                 "A worker that is silent for so long loses its attempts")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--stop-grace-seconds", options->stop_grace_seconds,
                 "Time a trainer has to write a checkpoint before SIGTERM")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return -1;
}

}  // namespace scm::coordinator
