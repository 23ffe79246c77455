// The tensors of a Hugging Face model directory, by name, whichever files they lie in. Opens
// headers only. Not thread-safe; one owner.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/formats/safetensors.h"
#include "model/llama_config.h"
#include "model/model_source.h"

namespace scm::model {

class HuggingFaceWeights {
 public:
  explicit HuggingFaceWeights(std::string directory) : directory_(std::move(directory)) {}

  // Opens model.safetensors, or the shards that model.safetensors.index.json names (file names
  // only: one that leads elsewhere is refused). INVALID_ARGUMENT where the index names other files
  // and model.safetensors is there as well: which of the two is the model cannot be known.
  absl::Status Open();

  // With tied embeddings one tensor is enough, whichever of the two it is. Where both are there and
  // differ, the file's head holds, as in transformers 5: `config` says then that nothing is tied.
  void SettleHead(LlamaConfig* config);

  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  absl::Status ReadFloat32(const std::string& name, float* out) const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Place {
    const SafetensorsFile* shard;
    const SafetensorsEntry* entry;
    absl::string_view data() const { return shard->Data(*entry); }
  };

  std::string Path(absl::string_view name) const;
  absl::Status OpenShards();
  absl::Status OpenShard(const std::string& name);
  absl::Status ReadIndex();
  absl::Status CheckOneSource() const;
  absl::Status AddTensors(const SafetensorsFile& shard);
  absl::Status CheckIndex() const;

  std::string directory_;
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, Place> places_;
  std::map<std::string, std::string> index_;  // tensor to file; empty without an index
  std::vector<std::string> warnings_;
};

}  // namespace scm::model
