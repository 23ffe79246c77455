// The version of every program of this build.
#pragma once

namespace scm {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace scm
