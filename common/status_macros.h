// SCM_RETURN_IF_ERROR and SCM_ASSIGN_OR_RETURN: early return of an absl::Status.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SCM_RETURN_IF_ERROR(expr)                                              \
  do {                                                                         \
    if (absl::Status scm_status = (expr); !scm_status.ok()) return scm_status; \
  } while (false)

#define SCM_CONCAT_INNER(a, b) a##b
#define SCM_CONCAT(a, b) SCM_CONCAT_INNER(a, b)
#define SCM_ASSIGN_OR_RETURN(lhs, expr) \
  SCM_ASSIGN_OR_RETURN_IMPL(SCM_CONCAT(scm_result_, __LINE__), lhs, expr)
#define SCM_ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                              \
  if (!result.ok()) return result.status();          \
  lhs = std::move(result).value()
