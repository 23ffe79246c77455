#include "coordinator/telemetry/http_server.h"

#include <CivetServer.h>

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "common/loopback.h"

namespace scm::telemetry {
namespace {

// Callers are on this machine and ask at once: one that connects and says nothing holds a thread no
// longer than this, and a few such do not keep the others from an answer.
constexpr char kThreads[] = "16", kTimeoutMs[] = "3000";

struct Reply {
  int code = 200;
  std::string body;
};

class TextHandler : public CivetHandler {
 public:
  TextHandler(const char* type, std::function<Reply()> answer)
      : type_(type), answer_(std::move(answer)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    Reply reply;
    // Called from C: nothing may be thrown through it.
    const absl::Status status = Guarded("this page", [&] { reply = answer_(); });
    if (!status.ok()) reply = {500, absl::StrCat(status.message(), "\n")};
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: "
              "close\r\n\r\n",
              reply.code,
              reply.code == 200   ? "OK"
              : reply.code == 500 ? "Internal Server Error"
                                  : "Service Unavailable",
              type_, reply.body.size());
    mg_write(connection, reply.body.data(), reply.body.size());
    return true;
  }

 private:
  const char* type_;
  const std::function<Reply()> answer_;
};

class Server final : public HttpServer {
 public:
  Server(const std::vector<std::string>& options, HttpHandlers handlers)
      : metrics_("text/plain; version=0.0.4; charset=utf-8",
                 [handlers] {
                   return Reply{200, handlers.metrics()};
                 }),
        health_("text/plain",
                [] {
                  return Reply{200, "ok\n"};
                }),
        ready_("text/plain",
               [handlers] {
                 const std::string why = handlers.not_ready();
                 return why.empty() ? Reply{200, "ready\n"} : Reply{503, absl::StrCat(why, "\n")};
               }),
        server_(options) {
    server_.addHandler("/metrics$", metrics_);
    server_.addHandler("/healthz$", health_);
    server_.addHandler("/readyz$", ready_);
  }
  int port() const override {
    const std::vector<int> ports = const_cast<CivetServer&>(server_).getListeningPorts();
    return ports.empty() ? 0 : ports.front();
  }

 private:
  TextHandler metrics_, health_, ready_;
  CivetServer server_;  // the last member: its threads end before what they use
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> StartHttpServer(const std::string& listen,
                                                            HttpHandlers handlers) {
  if (!IsLoopback(listen)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "metrics on ", listen, " could be read from other machines: use ",
        "--metrics-listen 127.0.0.1:PORT and let a Prometheus of this host scrape it"));
  }
  // CivetServer reports a taken address by an exception.
  try {
    std::unique_ptr<HttpServer> server = std::make_unique<Server>(
        std::vector<std::string>{"listening_ports", listen, "num_threads", kThreads,
                                 "request_timeout_ms", kTimeoutMs},
        std::move(handlers));
    return server;
  } catch (const CivetException&) {
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", listen,
                                               ": the address is taken; pass another "
                                               "--metrics-listen"));
  }
}

}  // namespace scm::telemetry
