// A base is quantised once: what came out is kept in a file, and whoever needs the same base in the
// same way, as the other seeds of an experiment do, reads that instead. A file is for one content
// of the model (by SHA-256), one way and one version of the code; it is compared with its own
// digest before it is used. What cannot be written or is damaged is made anew, and said in the log.
//
// One owner, one thread; processes share a directory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/formats/safetensors.h"
#include "trainer/compute/quantize/quantized_matrix.h"

namespace scm::trainer {

class QuantizedCache {
 public:
  static constexpr size_t kMostFiles = 4;  // what was used longest ago goes first

  // `directory` "" or `model_sha256` "" (nobody knows which model it is): keeps nothing.
  QuantizedCache(std::string directory, std::string model_sha256)
      : directory_(std::move(directory)), model_sha256_(std::move(model_sha256)) {}
  ~QuantizedCache();
  QuantizedCache(const QuantizedCache&) = delete;
  QuantizedCache& operator=(const QuantizedCache&) = delete;

  // Looks for the file; waits for a process that is making it, at most ten minutes.
  void Open(const BaseQuantization& quantization);
  // Whether Find() has every matrix of the base.
  bool has_file() const { return file_ != nullptr; }
  // NOT_FOUND, or INVALID_ARGUMENT for a matrix of another shape.
  absl::StatusOr<QuantizedMatrix> Find(const std::string& name, int64_t rows,
                                       int64_t columns) const;
  // Remembers what was made for Write(), unless nothing is to be kept.
  void Add(const std::string& name, std::shared_ptr<const QuantizedMatrix> matrix);
  // Writes the file of all that was added, and lets others have it.
  void Write();

 private:
  struct Made {
    std::string name;
    std::shared_ptr<const QuantizedMatrix> matrix;
  };
  bool Lock();
  void Unlock();
  absl::Status Read();
  absl::Status WriteFiles() const;
  void RemoveOldest() const;

  std::string directory_, model_sha256_, path_;
  BaseQuantization quantization_;
  int lock_ = -1;
  std::unique_ptr<model::SafetensorsFile> file_;
  std::vector<Made> made_;
};

}  // namespace scm::trainer
