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

const char* WordOf(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 500:
      return "Internal Server Error";
    default:
      return "Service Unavailable";
  }
}

void Send(mg_connection* connection, const char* type, const HttpReply& reply) {
  std::string head =
      absl::StrCat("HTTP/1.1 ", reply.code, " ", WordOf(reply.code), "\r\nContent-Type: ", type,
                   "\r\nContent-Length: ", reply.body.size(), "\r\n");
  for (const auto& [name, value] : reply.headers) absl::StrAppend(&head, name, ": ", value, "\r\n");
  absl::StrAppend(&head, "Connection: close\r\n\r\n");
  mg_write(connection, head.data(), head.size());
  mg_write(connection, reply.body.data(), reply.body.size());
}

class TextHandler : public CivetHandler {
 public:
  TextHandler(const char* type, std::function<HttpReply()> answer)
      : type_(type), answer_(std::move(answer)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    HttpReply reply;
    // Called from C: nothing may be thrown through it.
    const absl::Status status = Guarded("this page", [&] { reply = answer_(); });
    if (!status.ok()) reply = {500, absl::StrCat(status.message(), "\n")};
    Send(connection, type_, reply);
    return true;
  }

 private:
  const char* type_;
  const std::function<HttpReply()> answer_;
};

// Every method comes here: who may know of nothing is told of no method either.
class ApiHandler : public CivetHandler {
 public:
  explicit ApiHandler(std::function<HttpReply(const HttpRequest&)> answer)
      : answer_(std::move(answer)) {}

  bool handleGet(CivetServer*, mg_connection* c) override { return Handle(c); }
  bool handlePost(CivetServer*, mg_connection* c) override { return Handle(c); }
  bool handleHead(CivetServer*, mg_connection* c) override { return Handle(c); }
  bool handlePut(CivetServer*, mg_connection* c) override { return Handle(c); }
  bool handleDelete(CivetServer*, mg_connection* c) override { return Handle(c); }
  bool handleOptions(CivetServer*, mg_connection* c) override { return Handle(c); }
  bool handlePatch(CivetServer*, mg_connection* c) override { return Handle(c); }

 private:
  bool Handle(mg_connection* connection) {
    HttpReply reply;
    const absl::Status status = Guarded("this page", [&] {
      const auto text = [](const char* value) { return std::string(value ? value : ""); };
      const mg_request_info* info = mg_get_request_info(connection);
      reply = answer_({text(info->request_method), text(info->local_uri), text(info->query_string),
                       text(mg_get_header(connection, "Host")),
                       text(mg_get_header(connection, "Authorization"))});
      // It is the state of a moment, and some of it is what a trainer said.
      reply.headers.emplace_back("Cache-Control", "no-store");
      reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
      if (text(info->request_method) == "HEAD") reply.body.clear();
    });
    if (!status.ok()) reply = {500, "{\"error\": \"a fault of the coordinator\"}\n"};
    Send(connection, "application/json", reply);
    return true;
  }

  const std::function<HttpReply(const HttpRequest&)> answer_;
};

class Server final : public HttpServer {
 public:
  Server(const std::vector<std::string>& options, HttpHandlers handlers)
      : metrics_("text/plain; version=0.0.4; charset=utf-8",
                 [handlers] {
                   return HttpReply{200, handlers.metrics()};
                 }),
        health_("text/plain",
                [] {
                  return HttpReply{200, "ok\n"};
                }),
        ready_("text/plain",
               [handlers] {
                 const std::string why = handlers.not_ready();
                 return why.empty() ? HttpReply{200, "ready\n"}
                                    : HttpReply{503, absl::StrCat(why, "\n")};
               }),
        api_(handlers.api),
        server_(options) {
    if (handlers.api) server_.addHandler("/api/", api_);
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
  ApiHandler api_;
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
