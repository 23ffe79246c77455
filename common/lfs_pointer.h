// What Git leaves where a file should be when Git LFS has not fetched it: some lines of text. Pure.
#pragma once

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace scm {

inline constexpr char kLfsPointerBegin[] = "version https://git-lfs.github.com/spec/";

// Whether a file that begins with `bytes` (48 are enough) is such a pointer.
inline bool IsLfsPointer(absl::string_view bytes) {
  return absl::StartsWith(bytes, kLfsPointerBegin);
}

// What a message says about it, after the path.
inline constexpr char kLfsPointerAdvice[] =
    "is a Git LFS pointer, not the file that it stands for; run git lfs pull in its repository";

}  // namespace scm
