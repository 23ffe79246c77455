// GET /api/v1/… of a real scm-coordinator, over real HTTP.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "common/files.h"
#include "tests/coordinator/rpc/coordinator_process.h"
#include "tests/fakes/temp_dir.h"

namespace scm::rpc {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kToken[] = "a token of the user";
constexpr char kBearer[] = "Authorization: Bearer a token of the user\r\n";

std::string Body(const std::string& reply) { return reply.substr(reply.find("\r\n\r\n") + 4); }

class ApiTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteFileAtomically(dir_.path() + "/token", absl::StrCat(kToken, "\n")).ok());
    ASSERT_EQ(chmod((dir_.path() + "/token").c_str(), 0600), 0);
    ASSERT_EQ(coordinator_.Start(), "") << coordinator_.Log();
    v1::SubmitRequest request;
    request.set_request_id("first");
    request.set_spec_json(
        "name: legal\nstages: [replicate]\ntrainer: {command: [python3, /t.py]}\n"
        "training: {max_steps: 10, warmup_steps: 0}\nreplicate: {seeds: [11, 12]}\n");
    v1::SubmitReply reply;
    const grpc::Status status = coordinator_.user().Submit(Context().get(), request, &reply);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
    context->set_wait_for_ready(true);
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return context;
  }
  // The whole reply.
  std::string Send(const std::string& method, const std::string& path, const std::string& headers,
                   const std::string& host = "localhost") {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(coordinator_.http_port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string reply;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      const std::string request =
          absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: ", host, "\r\n", headers, "\r\n");
      if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
        char buffer[4096];
        for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) reply.append(buffer, n);
      }
    }
    close(fd);
    return reply;
  }
  std::string Get(const std::string& path) { return Send("GET", path, kBearer); }
  Json JsonAt(const std::string& path) {
    const std::string reply = Get(path);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")) << path;
    const absl::StatusOr<Json> json = ParseJson(Body(reply), path);
    EXPECT_TRUE(json.ok()) << path << json.status();
    return json.value_or(Json());
  }

  const fake::TempDir dir_;
  CoordinatorProcess coordinator_{dir_.path(), {"--user-token-file", dir_.path() + "/token"}};
};

TEST_F(ApiTest, GivesTheAnswersOfTheService) {
  v1::ExperimentsAnswer list;
  ASSERT_TRUE(coordinator_.user().GetExperiments(Context().get(), v1::Question(), &list).ok());
  EXPECT_EQ(Body(Get("/api/v1/experiments")), DumpJson(answers::ToJson(list), 2) + "\n");
  v1::Question run;
  run.set_id("r-2");
  v1::RunsAnswer runs;
  ASSERT_TRUE(coordinator_.user().GetRuns(Context().get(), run, &runs).ok());
  EXPECT_EQ(Body(Get("/api/v1/runs/r-2")), DumpJson(answers::ToJson(runs), 2) + "\n");
  for (const char* id : {"e-1", "legal"}) {
    const Json status = JsonAt(absl::StrCat("/api/v1/experiments/", id));
    EXPECT_EQ(StringAt(MemberAt(status, "experiment"), "id"), "e-1");
    EXPECT_EQ(MemberAt(status, "runs").size(), 2u);
  }
  EXPECT_EQ(StringAt(JsonAt("/api/v1/runs/r-1/metrics"), "run"), "r-1");
  EXPECT_EQ(JsonAt("/api/v1/workers"), Json({{"workers", Json::array()}}));
  v1::InventoryAnswer inventory;
  ASSERT_TRUE(coordinator_.user().GetInventory(Context().get(), v1::Question(), &inventory).ok());
  EXPECT_EQ(Body(Get("/api/v1/inventory")), DumpJson(answers::ToJson(inventory), 2) + "\n");
  v1::HealthAnswer health;
  ASSERT_TRUE(coordinator_.user().GetHealth(Context().get(), v1::Question(), &health).ok());
  const Json healthy = JsonAt("/api/v1/health");
  EXPECT_EQ(StringAt(healthy, "version"), health.version());
  ASSERT_EQ(MemberAt(healthy, "checks").size(), static_cast<size_t>(health.checks_size()));
  EXPECT_GT(health.checks_size(), 0);
  for (int i = 0; i < health.checks_size(); ++i) {
    EXPECT_EQ(StringAt(MemberAt(healthy, "checks")[i], "check"), health.checks(i).check());
  }
  for (const char* path :
       {"experiments/e-1/runs", "experiments/e-1/reasons", "experiments/e-1/events",
        "experiments/e-1/checkpoints", "experiments/e-1/artifacts", "runs/r-1/reasons",
        "runs/r-1/events", "runs/r-1/checkpoints", "events"}) {
    EXPECT_TRUE(JsonAt(absl::StrCat("/api/v1/", path)).is_object()) << path;
  }
}

TEST_F(ApiTest, PagesGoOnBehindTheRowThatAHeaderNames) {
  const std::string first = Get("/api/v1/events?limit=1");
  ASSERT_THAT(first, HasSubstr("\r\nNext-After: 1\r\n"));
  const Json second = JsonAt("/api/v1/events?after=1&limit=1");
  EXPECT_EQ(IntegerAt(MemberAt(second, "events")[0], "sequence", 0), 2);
  for (const char* query : {"limit=x", "after=-1", "who=me", "limit"}) {
    EXPECT_THAT(Get(absl::StrCat("/api/v1/events?", query)), StartsWith("HTTP/1.1 400 ")) << query;
  }
}

TEST_F(ApiTest, SaysNothingWithoutTheToken) {
  for (const char* headers :
       {"", "Authorization: Bearer another token\r\n", "Authorization: Basic YTpi\r\n"}) {
    for (const char* path : {"/api/v1/experiments", "/api/v1/experiments/legal", "/api/v1/nothing",
                             "/api/", "/api/v1/experiments?token=a%20token%20of%20the%20user"}) {
      for (const char* method : {"GET", "POST", "OPTIONS"}) {
        const std::string reply = Send(method, path, headers);
        EXPECT_THAT(reply, StartsWith("HTTP/1.1 401 Unauthorized\r\n")) << method << path;
        EXPECT_THAT(reply, HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"));
        EXPECT_THAT(Body(reply), HasSubstr("token")) << "a sentence";
        EXPECT_THAT(reply, Not(HasSubstr("legal")));
      }
    }
  }
}

TEST_F(ApiTest, IsReadOnlyAndForThisMachineAlone) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const std::string reply =
        Send(method, "/api/v1/experiments", absl::StrCat(kBearer, "Content-Length: 0\r\n"));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n")) << method;
    EXPECT_THAT(reply, HasSubstr("\r\nAllow: GET\r\n"));
  }
  // No page of another origin may read it, nor one whose name was made to point here.
  const std::string reply =
      Send("GET", "/api/v1/experiments", absl::StrCat(kBearer, "Origin: https://evil.example\r\n"));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(reply, Not(HasSubstr("Access-Control")));
  EXPECT_THAT(Send("GET", "/api/v1/experiments", kBearer, "evil.example:80"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Send("GET", "/api/v1/experiments", kBearer,
                   absl::StrCat("127.0.0.1:", coordinator_.http_port())),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(ApiTest, WhatIsNotThereIsNamedWithWhatIsNear) {
  const std::pair<const char*, const char*> cases[] = {
      {"/api/v1/experiments/legl", "Did you mean legal?"},
      {"/api/v1/experimets", "Did you mean /api/v1/experiments?"},
      {"/api/v1/runs/r-1/metric", "Did you mean /api/v1/runs/r-1/metrics?"},
      {"/api/v2/workers", "there is no /api/v2/workers"},
      {"/api/v1/runs/r-99", "r-99"}};
  for (const auto& [path, sentence] : cases) {
    const std::string reply = Get(path);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 404 Not Found\r\n")) << path;
    EXPECT_THAT(Body(reply), HasSubstr(sentence)) << path;
  }
}

}  // namespace
}  // namespace scm::rpc
