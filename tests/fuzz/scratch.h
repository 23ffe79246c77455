// A directory below TMPDIR for the files of one fuzzer at a time, which goes away with it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace scm::fuzz {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  // Whatever maps the file of before must be gone.
  void Write(const std::string& name, absl::string_view content) const;

 private:
  std::string path_;
};

// An input that is two files: what stands before the first NUL byte, and behind it.
struct TwoParts {
  absl::string_view first, second;
  bool has_second;
};
TwoParts Cut(absl::string_view input);

}  // namespace scm::fuzz
