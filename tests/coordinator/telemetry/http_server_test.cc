#include "coordinator/telemetry/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace scm::telemetry {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The whole answer to a GET, or "" when nobody listens.
std::string Get(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) answer.append(buffer, n);
    }
  }
  close(fd);
  return answer;
}

TEST(HttpServer, AnswersMetricsHealthAndReadiness) {
  std::string why;
  const auto server = StartHttpServer(
      "127.0.0.1:0", {[] { return std::string("scm_x 1\n"); }, [&why] { return why; }});
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->port();
  const std::string metrics = Get(port, "/metrics");
  EXPECT_THAT(metrics, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(metrics, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(metrics, EndsWith("\r\n\r\nscm_x 1\n"));
  EXPECT_THAT(Get(port, "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get(port, "/readyz"), StartsWith("HTTP/1.1 200 "));
  why = "the disk is full";
  EXPECT_THAT(Get(port, "/readyz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Get(port, "/readyz"), EndsWith("the disk is full\n"));
  EXPECT_THAT(Get(port, "/healthz"), StartsWith("HTTP/1.1 200 "));
  for (const char* path : {"/", "/etc/passwd", "/metrics/../../etc/passwd"}) {
    EXPECT_THAT(Get(port, path), StartsWith("HTTP/1.1 404 ")) << path;
  }
}

TEST(HttpServer, APageThatFailsIsA500AndTheServerStays) {
  const auto server = StartHttpServer(
      "127.0.0.1:0",
      {[]() -> std::string { throw std::runtime_error("no \x1b[2J page"); }, [] { return ""; }});
  ASSERT_TRUE(server.ok()) << server.status();
  for (int i = 0; i < 3; ++i) {
    const std::string answer = Get((*server)->port(), "/metrics");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, EndsWith("this page: no \uFFFD[2J page\n"));
    EXPECT_THAT(Get((*server)->port(), "/healthz"), StartsWith("HTTP/1.1 200 "));
  }
}

// More who say nothing than it has threads: they are given up one after the other.
TEST(HttpServer, AnswersBesideThoseThatSayNothing) {
  const auto server =
      StartHttpServer("127.0.0.1:0", {[] { return std::string(); }, [] { return std::string(); }});
  ASSERT_TRUE(server.ok()) << server.status();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>((*server)->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> silent;
  for (int i = 0; i < 24; ++i) {
    silent.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(silent.back(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_THAT(Get((*server)->port(), "/readyz"), StartsWith("HTTP/1.1 200 "));
  for (const int fd : silent) close(fd);
}

TEST(HttpServer, AnAddressThatOthersReachIsRefused) {
  for (const char* listen : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0", ":0", "127.evil.example:0"}) {
    const absl::Status status = StartHttpServer(listen, {}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << listen << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--metrics-listen 127.0.0.1")) << listen;
  }
}

TEST(HttpServer, ATakenAddressIsUnavailable) {
  const auto first = StartHttpServer("127.0.0.1:0", {});
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string same = absl::StrCat("127.0.0.1:", (*first)->port());
  EXPECT_TRUE(absl::IsUnavailable(StartHttpServer(same, {}).status()));
}

}  // namespace
}  // namespace scm::telemetry
