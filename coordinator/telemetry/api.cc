#include "coordinator/telemetry/api.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "answers/message_json.h"
#include "common/loopback.h"
#include "common/status_macros.h"
#include "common/suggest.h"
#include "common/text.h"

namespace scm::telemetry {
namespace {

constexpr absl::string_view kRoot = "/api/v1/";

HttpReply Error(int code, absl::string_view sentence) {
  const Json body = {{"error", TextOf(sentence, 1000)}};
  return {code, absl::StrCat(DumpJson(body, 2), "\n")};
}

int CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

template <typename AnswerMessage, auto ask>
HttpReply Ask(const rpc::Answers& answers, const v1::Question& question) {
  const absl::StatusOr<AnswerMessage> answer = (answers.*ask)(question);
  if (!answer.ok()) return Error(CodeOf(answer.status()), answer.status().message());
  HttpReply reply{200, absl::StrCat(DumpJson(answers::ToJson(*answer), 2), "\n")};
  if constexpr (requires { answer->next(); }) {
    if (answer->next() > 0) reply.headers.emplace_back("Next-After", absl::StrCat(answer->next()));
  }
  return reply;
}

// "ID" stands for the id of the question; a path's other words are themselves.
struct Route {
  absl::string_view path;
  HttpReply (*ask)(const rpc::Answers&, const v1::Question&);
};
using rpc::Answers;
constexpr Route kRoutes[] = {
    {"experiments", Ask<v1::ExperimentsAnswer, &Answers::Experiments>},
    {"experiments/ID", Ask<v1::StatusAnswer, &Answers::Status>},
    {"experiments/ID/runs", Ask<v1::RunsAnswer, &Answers::Runs>},
    {"experiments/ID/reasons", Ask<v1::WhyAnswer, &Answers::Reasons>},
    {"experiments/ID/events", Ask<v1::EventsAnswer, &Answers::Events>},
    {"experiments/ID/checkpoints", Ask<v1::CheckpointsAnswer, &Answers::Checkpoints>},
    {"experiments/ID/artifacts", Ask<v1::ArtifactsAnswer, &Answers::Artifacts>},
    {"runs/ID", Ask<v1::RunsAnswer, &Answers::Runs>},
    {"runs/ID/metrics", Ask<v1::MetricsAnswer, &Answers::Metrics>},
    {"runs/ID/reasons", Ask<v1::WhyAnswer, &Answers::Reasons>},
    {"runs/ID/events", Ask<v1::EventsAnswer, &Answers::Events>},
    {"runs/ID/checkpoints", Ask<v1::CheckpointsAnswer, &Answers::Checkpoints>},
    {"workers", Ask<v1::WorkersAnswer, &Answers::Workers>},
    {"inventory", Ask<v1::InventoryAnswer, &Answers::Inventory>},
    {"health", Ask<v1::HealthAnswer, &Answers::Health>},
    {"events", Ask<v1::EventsAnswer, &Answers::Events>},
};

// Whether the words are those of the route, and then the id among them.
bool Fits(const Route& route, const std::vector<std::string>& words, std::string* id) {
  const std::vector<absl::string_view> pattern = absl::StrSplit(route.path, '/');
  if (pattern.size() != words.size()) return false;
  for (size_t i = 0; i < words.size(); ++i) {
    if (pattern[i] == "ID" && !words[i].empty()) {
      *id = words[i];
    } else if (pattern[i] != words[i]) {
      return false;
    }
  }
  return true;
}

HttpReply UnknownPath(const std::string& path, const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const Route& route : kRoutes) {
    std::vector<std::string> parts = absl::StrSplit(route.path, '/');
    // With the id that was given, so that only the words are compared.
    if (parts.size() > 1 && words.size() > 1) parts[1] = words[1];
    known.push_back(absl::StrCat(kRoot, absl::StrJoin(parts, "/")));
  }
  const std::string near = path.size() > 200 ? "" : Suggest(path, known);
  return Error(404, absl::StrCat("there is no ", LineOf(path, 200),
                                 near.empty() ? "; docs/api.md lists what there is"
                                              : absl::StrCat(". Did you mean ", near, "?")));
}

absl::Status ReadQuery(const std::string& query, v1::Question& question) {
  for (const absl::string_view pair : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    int64_t number = 0;
    const bool read = absl::SimpleAtoi(parts.second, &number) && number >= 0;
    if (parts.first == "after" && read) {
      question.set_after(number);
    } else if (parts.first == "limit" && read) {
      question.set_limit(number);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", LineOf(pair, 100), "\": expected after=ROW or limit=ROWS"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

HttpReply Api::Answer(const HttpRequest& request) const {
  if (absl::Status s = token_.Check(request.authorization); !s.ok()) {
    HttpReply reply = Error(401, s.message());
    reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    return reply;
  }
  // A page elsewhere may have its own name point here; a browser then says that name.
  if (!IsLoopback(absl::StrCat(request.host, ":0")) && !IsLoopback(request.host)) {
    return Error(400,
                 absl::StrCat("\"", LineOf(request.host, 100), "\" is no name of this machine"));
  }
  if (request.method != "GET") {
    HttpReply reply = Error(
        405, absl::StrCat(LineOf(request.method, 20), " is not understood here: only GET is"));
    reply.headers.emplace_back("Allow", "GET");
    return reply;
  }
  absl::string_view rest = request.path;
  const bool below = absl::ConsumePrefix(&rest, kRoot);
  const std::vector<std::string> words = absl::StrSplit(rest, '/');
  v1::Question question;
  for (const Route& route : kRoutes) {
    if (!below || !Fits(route, words, question.mutable_id())) continue;
    if (absl::Status s = ReadQuery(request.query, question); !s.ok())
      return Error(400, s.message());
    return route.ask(answers_, question);
  }
  return UnknownPath(request.path, words);
}

}  // namespace scm::telemetry
