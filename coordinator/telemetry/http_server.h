// /metrics, /healthz, /readyz and /api/ over HTTP, for this machine only. Owns its threads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace scm::telemetry {

struct HttpRequest {
  std::string method, path, query;  // path decoded, query not
  std::string host, authorization;  // of the headers; "" = none
};
struct HttpReply {
  int code = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};  // beside those of every reply
};

// Called on the server's threads, several at once.
struct HttpHandlers {
  std::function<std::string()> metrics;  // text exposition format
  // "" = ready; else why not, answered with 503.
  std::function<std::string()> not_ready;
  // Everything below /api/, JSON; may stay empty, and then there is nothing.
  std::function<HttpReply(const HttpRequest&)> api = nullptr;
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
};

// `listen` is HOST:PORT, port 0 = any. FAILED_PRECONDITION when other machines could reach it:
// there is no TLS here, because Debian's civetweb 1.15 calls a null pointer at the first TLS
// connection when it has loaded OpenSSL 3. UNAVAILABLE when the address is taken.
absl::StatusOr<std::unique_ptr<HttpServer>> StartHttpServer(const std::string& listen,
                                                            HttpHandlers handlers);

}  // namespace scm::telemetry
