// A model source with random weights, for tests that need no file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/model_source.h"

namespace scm::trainer {

class FakeSource : public model::ModelSource {
 public:
  // Weights are rounded to bf16, so that both precisions hold the same ones.
  FakeSource(const model::LlamaConfig& config, uint64_t seed);

  const model::LlamaConfig& config() const override { return config_; }
  const std::vector<model::TensorInfo>& tensors() const override { return infos_; }
  absl::Status ReadFloat32(const std::string& name, float* out) const override;
  absl::StatusOr<std::unique_ptr<model::Tokenizer>> MakeTokenizer() const override;
  const std::string& path() const override { return path_; }

  const std::vector<float>& values(const std::string& name) const { return values_.at(name); }
  std::vector<float>& values(const std::string& name) { return values_.at(name); }

 private:
  void Add(const std::string& name, std::vector<int64_t> shape, double mean, double deviation,
           uint64_t seed);

  model::LlamaConfig config_;
  std::vector<model::TensorInfo> infos_;
  std::map<std::string, std::vector<float>> values_;
  std::string path_ = "fake";
};

// Two layers, six heads over three key/value heads, sizes that are no multiple of a vector.
model::LlamaConfig SmallConfig();

}  // namespace scm::trainer
