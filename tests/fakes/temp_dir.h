// A new directory for one test, removed with everything in it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "common/files.h"

namespace scm::fake {

class TempDir {
 public:
  TempDir() {
    std::string pattern = testing::TempDir() + "scm-test-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() { RemoveRecursively(path_).IgnoreError(); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The path of `name` in it.
inline std::string operator/(const TempDir& directory, const std::string& name) {
  return directory.path() + "/" + name;
}

}  // namespace scm::fake
