// The last line of defence at the top of threads, callbacks and handlers: what a library throws
// becomes a status there, instead of the end of the process. Nothing of ours throws on purpose.
#pragma once

#include <exception>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/text.h"

namespace scm {

// Calls `body`, which returns nothing or an absl::Status. INTERNAL, beginning with `what`, if it
// throws.
template <typename Body>
absl::Status Guarded(absl::string_view what, Body&& body) {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
      body();
      return absl::OkStatus();
    } else {
      return body();
    }
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": ", LineOf(error.what(), 300)));
  } catch (...) {
    return absl::InternalError(absl::StrCat(what, ": an exception without a text"));
  }
}

}  // namespace scm
