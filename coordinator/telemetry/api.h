// GET /api/v1/…: the answers of the user's service as JSON, read only (docs/api.md). Thread-safe.
#pragma once

#include "coordinator/rpc/answers.h"
#include "coordinator/rpc/auth.h"
#include "coordinator/telemetry/http_server.h"

namespace scm::telemetry {

class Api {
 public:
  Api(rpc::Answers answers, rpc::TokenCheck token)
      : answers_(std::move(answers)), token_(std::move(token)) {}

  // 401 before anything else is looked at, then 405, 404 with the near name, 400, 503. The body is
  // {"error": a sentence} where it is no answer.
  HttpReply Answer(const HttpRequest& request) const;

 private:
  rpc::Answers answers_;
  rpc::TokenCheck token_;
};

}  // namespace scm::telemetry
