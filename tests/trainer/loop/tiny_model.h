// A tiny random model, a tiny corpus and work orders for them, written to a temporary directory.
#pragma once

#include <string>

#include "common/json.h"

namespace scm::testing {

// A directory below the system's temporary one that is removed with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A Hugging Face directory: 2 layers, hidden 32, 4 heads over 2 K/V heads, one token a byte, F32.
void WriteTinyModel(const std::string& dir, uint64_t seed = 1);
// The same with a NaN in its last weight, one of the last norm.
void WriteNanModel(const std::string& dir);

// Documents of four jurisdictions with two single-label tasks ("letters", "digits") and a
// multi-label one ("sets"); the answers can be read off the prompts. Marked as a demonstration.
void WriteTinyCorpus(const std::string& dir);

// A work order of `kind` for model and corpus below `root` ("model", "corpus") with `work_dir`
// below it: 12 steps, saves at every 4th, validations at every 3rd, fp32, dropout 0.1.
Json TinySpec(const std::string& root, const std::string& kind, const std::string& work_dir);

}  // namespace scm::testing
