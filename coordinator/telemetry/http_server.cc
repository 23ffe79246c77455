#include "coordinator/telemetry/http_server.h"

#include <CivetServer.h>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

void Answer(mg_connection* connection, int code, const char* type, const std::string& body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
            code, code == 200 ? "OK" : "Service Unavailable", type, body.size());
  mg_write(connection, body.data(), body.size());
}

class TextHandler : public CivetHandler {
 public:
  TextHandler(const char* type, std::function<std::pair<int, std::string>()> answer)
      : type_(type), answer_(std::move(answer)) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    const auto [code, body] = answer_();
    Answer(connection, code, type_, body);
    return true;
  }

 private:
  const char* type_;
  std::function<std::pair<int, std::string>()> answer_;
};

class Server final : public HttpServer {
 public:
  Server(const std::vector<std::string>& options, HttpHandlers handlers)
      : metrics_("text/plain; version=0.0.4; charset=utf-8",
                 [handlers] { return std::pair(200, handlers.metrics()); }),
        health_("text/plain", [] { return std::pair(200, std::string("ok\n")); }),
        ready_("text/plain",
               [handlers] {
                 const std::string why = handlers.not_ready();
                 return why.empty() ? std::pair(200, std::string("ready\n"))
                                    : std::pair(503, absl::StrCat(why, "\n"));
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
  CivetServer server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> StartHttpServer(const std::string& listen,
                                                            HttpHandlers handlers) {
  // CivetServer reports a taken address by an exception.
  try {
    std::unique_ptr<HttpServer> server = std::make_unique<Server>(
        std::vector<std::string>{"listening_ports", listen, "num_threads", "4",
                                 "request_timeout_ms", "10000"},
        std::move(handlers));
    return server;
  } catch (const CivetException& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve HTTP on ", listen, ": ", error.what(),
                     "; pass another --metrics-listen"));
  }
}

}  // namespace scm
