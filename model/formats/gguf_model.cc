#include "model/formats/gguf_model.h"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "model/formats/dequantise.h"
#include "model/formats/gguf_config.h"
#include "model/formats/gguf_names.h"
#include "model/formats/gguf_tokenizer.h"
#include "model/formats/llama_tensors.h"

namespace scm::model {
namespace {

class GgufModel : public ModelSource {
 public:
  explicit GgufModel(std::unique_ptr<GgufFile> file) : file_(std::move(file)) {}

  absl::Status Init() {
    SCM_ASSIGN_OR_RETURN(config_, ConfigFromGguf(*file_));
    for (const GgufTensor& tensor : file_->tensors()) {
      if (tensor.name == "rope_freqs.weight") continue;  // already in the configuration
      const std::optional<std::string> name = HuggingFaceName(tensor.name);
      tensors_.push_back({name.value_or(tensor.name), tensor.dtype, tensor.shape});
      // A file may hold both spellings of a name, with different shapes.
      if (!by_name_.emplace(tensors_.back().name, &tensor).second) {
        return absl::InvalidArgumentError(
            absl::StrCat(path(), ": tensor ", tensors_.back().name, " (\"",
                         absl::Utf8SafeCHexEscape(tensor.name), "\") is there twice"));
      }
    }
    return CheckTensors(config_, tensors_, file_->path());
  }

  const LlamaConfig& config() const override { return config_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const std::string& path() const override { return file_->path(); }

  absl::Status ReadFloat32(const std::string& name, float* out) const override {
    const auto it = by_name_.find(name);
    if (it == by_name_.end()) {
      return absl::NotFoundError(absl::StrCat(path(), ": there is no tensor ", name));
    }
    const GgufTensor& tensor = *it->second;
    const char* data = file_->Data(tensor).data();
    if (absl::EndsWith(name, ".q_proj.weight")) {
      ReadPermuted(tensor, config_.heads, out);
    } else if (absl::EndsWith(name, ".k_proj.weight")) {
      ReadPermuted(tensor, config_.kv_heads, out);
    } else {
      Dequantise(tensor.dtype, data, ElementCount(tensor.shape), out);
    }
    file_->Release(tensor);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer() const override {
    return TokenizerFromGguf(*file_, config_.vocabulary);
  }

  absl::StatusOr<ChatTemplate> MakeChatTemplate() const override {
    SCM_ASSIGN_OR_RETURN(const std::string source, file_->String("tokenizer.chat_template", ""));
    if (source.empty()) return ModelSource::MakeChatTemplate();
    return ChatTemplate::Recognise(source, path());
  }

 private:
  // GGUF keeps the two halves of a head's rotated dimensions interleaved: its row 2·i + j of a head
  // is row j·head_dim/2 + i of Hugging Face's.
  void ReadPermuted(const GgufTensor& tensor, int64_t heads, float* out) const {
    const int64_t head_dim = tensor.shape[0] / heads, width = tensor.shape[1];
    const auto row_bytes = static_cast<int64_t>(tensor.bytes) / tensor.shape[0];
    const char* in = file_->Data(tensor).data();
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t row = 0; row < head_dim; ++row, in += row_bytes) {
        const int64_t target = head * head_dim + (row % 2) * (head_dim / 2) + row / 2;
        Dequantise(tensor.dtype, in, width, out + target * width);
      }
    }
  }

  std::unique_ptr<GgufFile> file_;
  LlamaConfig config_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, const GgufTensor*> by_name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ModelSource>> MakeGgufModel(std::unique_ptr<GgufFile> file) {
  auto model = std::make_unique<GgufModel>(std::move(file));
  SCM_RETURN_IF_ERROR(model->Init());
  return model;
}

}  // namespace scm::model
