#include "model/formats/hf_model.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "model/formats/hf_chat_template.h"
#include "model/formats/hf_config.h"
#include "model/formats/hf_tokenizer.h"
#include "model/formats/hf_tokenizer_settings.h"
#include "model/formats/hf_weights.h"
#include "model/formats/llama_tensors.h"
#include "model/formats/mapped_file.h"

namespace scm::model {
namespace {

// Configuration files of real models have some kilobytes; a huge one would only cost time.
constexpr size_t kMaxConfigBytes = 2'000'000;

class HuggingFaceModel : public ModelSource {
 public:
  explicit HuggingFaceModel(const std::string& directory)
      : directory_(directory), weights_(directory) {}

  absl::Status Init() {
    SCM_RETURN_IF_ERROR(ReadConfig());
    SCM_RETURN_IF_ERROR(weights_.Open());
    weights_.SettleHead(&config_);
    return CheckTensors(config_, weights_.tensors(), directory_);
  }

  const LlamaConfig& config() const override { return config_; }
  const std::vector<TensorInfo>& tensors() const override { return weights_.tensors(); }
  const std::string& path() const override { return directory_; }
  std::vector<std::string> warnings() const override { return weights_.warnings(); }

  absl::Status ReadFloat32(const std::string& name, float* out) const override {
    return weights_.ReadFloat32(name, out);
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer() const override {
    SCM_ASSIGN_OR_RETURN(HuggingFaceTokenizer found, ReadTokenizer(directory_, config_));
    return MakeBpeTokenizer(std::move(found.parts), config_.vocabulary, found.path);
  }

  absl::StatusOr<ChatTemplate> MakeChatTemplate() const override {
    SCM_ASSIGN_OR_RETURN(const std::string source, ReadChatTemplate(directory_));
    if (source.empty()) return ModelSource::MakeChatTemplate();
    return ChatTemplate::Recognise(source, directory_);
  }

 private:
  absl::Status ReadConfig() {
    const std::string path = directory_ + "/config.json";
    if (!FileExists(path)) {
      return absl::NotFoundError(absl::StrCat(
          directory_,
          " holds no config.json: expected a Hugging Face model directory, or the path "
          "of a .gguf file"));
    }
    SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> text, MappedFile::Open(path));
    if (text->bytes().size() > kMaxConfigBytes) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": has ", text->bytes().size(),
                                                     " bytes, expected at most ", kMaxConfigBytes));
    }
    SCM_ASSIGN_OR_RETURN(config_, ConfigFromJson(text->bytes(), path));
    SCM_ASSIGN_OR_RETURN(const Json generation,
                         ReadJsonObject(directory_ + "/generation_config.json"));
    const std::vector<int64_t> stops = StopTokensFromJson(generation);
    if (!stops.empty()) config_.stop_tokens = stops;
    return absl::OkStatus();
  }

  std::string directory_;
  LlamaConfig config_;
  HuggingFaceWeights weights_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ModelSource>> OpenHuggingFaceModel(const std::string& directory) {
  auto model = std::make_unique<HuggingFaceModel>(directory);
  SCM_RETURN_IF_ERROR(model->Init());
  return model;
}

}  // namespace scm::model
