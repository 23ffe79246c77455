// Which addresses no other machine can reach, and may therefore be used without TLS and tokens.
#pragma once

#include "absl/strings/string_view.h"

namespace scm {

// Whether the host of HOST:PORT is four numbers of 127.0.0.0/8, "localhost" or "[::1]". Other names
// are not resolved and do not count: "127.evil.example" is one. Pure.
bool IsLoopback(absl::string_view address);

}  // namespace scm
