#include "tests/fuzz/scratch.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "tests/fuzz/require.h"

namespace scm::fuzz {

Scratch::Scratch() {
  std::string pattern = std::filesystem::temp_directory_path().string() + "/scm-fuzz-XXXXXX";
  Require(mkdtemp(pattern.data()) != nullptr, "TMPDIR is writable");
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void Scratch::Write(const std::string& name, absl::string_view content) const {
  std::ofstream out(path_ + "/" + name, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  Require(static_cast<bool>(out), "a file in TMPDIR is written");
}

TwoParts Cut(absl::string_view input) {
  const size_t nul = input.find('\0');
  if (nul == input.npos) return {input, "", false};
  return {input.substr(0, nul), input.substr(nul + 1), true};
}

}  // namespace scm::fuzz
