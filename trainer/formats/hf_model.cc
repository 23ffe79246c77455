#include "trainer/formats/hf_model.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "trainer/formats/hf_config.h"
#include "trainer/formats/llama_tensors.h"
#include "trainer/formats/mapped_file.h"
#include "trainer/formats/safetensors.h"
#include "trainer/tokenize/tokenizer_json.h"

namespace scm {
namespace {

constexpr char kIndex[] = "model.safetensors.index.json";
constexpr size_t kMaxShards = 4096;

absl::Status RefuseModel(absl::string_view where, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", problem));
}

// Configuration files of real models have some kilobytes; a huge one would only cost time.
constexpr size_t kMaxConfigBytes = 2'000'000;

absl::StatusOr<std::unique_ptr<MappedFile>> OpenConfigFile(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  if (file->bytes().size() > kMaxConfigBytes) {
    return RefuseModel(path, absl::StrCat("has ", file->bytes().size(), " bytes, expected at most ",
                                          kMaxConfigBytes));
  }
  return file;
}

// A JSON object from a file; an empty object when the file does not exist.
absl::StatusOr<Json> ReadObject(const std::string& path) {
  if (!FileExists(path)) return Json::object();
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, OpenConfigFile(path));
  SCM_ASSIGN_OR_RETURN(Json json, ParseJson(file->bytes(), path));
  if (!json.is_object()) return RefuseModel(path, "expected a JSON object");
  return json;
}

// Tokens are written as text, or as an object with the text in "content".
std::optional<std::string> TokenText(const Json& object, const char* key) {
  const Json& value = MemberAt(object, key);
  if (value.is_string()) return value.get<std::string>();
  const Json& content = MemberAt(value, "content");
  if (content.is_string()) return content.get<std::string>();
  return std::nullopt;
}

class HuggingFaceModel : public ModelSource {
 public:
  explicit HuggingFaceModel(std::string directory) : directory_(std::move(directory)) {}

  absl::Status Init() {
    const std::string config = Path("config.json");
    if (!FileExists(config)) {
      return absl::NotFoundError(absl::StrCat(
          directory_,
          " holds no config.json: expected a Hugging Face model directory, or the path "
          "of a .gguf file"));
    }
    SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> text, OpenConfigFile(config));
    SCM_ASSIGN_OR_RETURN(config_, ConfigFromJson(text->bytes(), config));
    SCM_RETURN_IF_ERROR(OpenShards());
    for (const auto& shard : shards_) SCM_RETURN_IF_ERROR(AddTensors(*shard));
    SCM_RETURN_IF_ERROR(CheckIndex());
    return CheckTensors(config_, tensors_, directory_);
  }

  const LlamaConfig& config() const override { return config_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const std::string& path() const override { return directory_; }

  absl::Status ReadFloat32(const std::string& name, float* out) const override {
    const auto it = places_.find(name);
    if (it == places_.end()) {
      return absl::NotFoundError(absl::StrCat(directory_, ": there is no tensor ", name));
    }
    return it->second.shard->ReadFloat32(*it->second.entry, out);
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer() const override {
    const std::string path = Path("tokenizer.json");
    if (!FileExists(path)) {
      return absl::NotFoundError(
          absl::StrCat(directory_,
                       " holds no tokenizer.json; save the tokenizer with a fast tokenizer of "
                       "transformers (AutoTokenizer … save_pretrained) to make one"));
    }
    SCM_ASSIGN_OR_RETURN(const Json settings, ReadObject(Path("tokenizer_config.json")));
    SCM_ASSIGN_OR_RETURN(const Json map, ReadObject(Path("special_tokens_map.json")));
    TokenizerSettings s;
    s.bos = TokenText(settings, "bos_token");
    s.eos = TokenText(settings, "eos_token");
    if (!s.bos) s.bos = TokenText(map, "bos_token");
    if (!s.eos) s.eos = TokenText(map, "eos_token");
    s.bos_id = config_.bos_token;
    s.eos_id = config_.eos_token;
    const Json& add_bos = MemberAt(settings, "add_bos_token");
    if (add_bos.is_boolean()) s.add_bos = add_bos.get<bool>();
    SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> text, MappedFile::Open(path));
    return TokenizerFromJson(text->bytes(), s, config_.vocabulary, path);
  }

 private:
  struct Place {
    const SafetensorsFile* shard;
    const SafetensorsEntry* entry;
  };

  std::string Path(absl::string_view name) const { return absl::StrCat(directory_, "/", name); }

  absl::Status OpenShard(const std::string& name) {
    SCM_ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsFile> shard, SafetensorsFile::Open(Path(name)));
    shards_.push_back(std::move(shard));
    return absl::OkStatus();
  }

  absl::Status OpenShards() {
    if (!FileExists(Path(kIndex))) {
      if (FileExists(Path("model.safetensors"))) return OpenShard("model.safetensors");
      return absl::NotFoundError(absl::StrCat(
          directory_, " holds neither model.safetensors nor ", kIndex,
          FileExists(Path("pytorch_model.bin"))
              ? "; pytorch_model.bin can run code when it is read and is not: save the model with "
                "safe_serialization=True"
              : ": the download may be incomplete"));
    }
    SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> text, MappedFile::Open(Path(kIndex)));
    SCM_ASSIGN_OR_RETURN(const SortedJson index, ParseSortedJson(text->bytes(), Path(kIndex)));
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
      return RefuseModel(Path(kIndex), "expected an object \"weight_map\"");
    }
    std::set<std::string> names;
    for (const auto& [tensor, file] : index["weight_map"].items()) {
      const std::string name = file.is_string() ? file.get<std::string>() : "";
      if (name.empty() || name[0] == '.' || absl::StrContains(name, "/") ||
          absl::StrContains(name, std::string(1, '\0'))) {
        return RefuseModel(Path(kIndex),
                           absl::StrCat("tensor \"", tensor, "\" lies in ", DumpJson(file),
                                        ", expected the name of a file beside the index"));
      }
      names.insert(name);
      index_[tensor] = name;
    }
    if (names.size() > kMaxShards) return RefuseModel(Path(kIndex), "names too many files");
    for (const std::string& name : names) SCM_RETURN_IF_ERROR(OpenShard(name));
    return absl::OkStatus();
  }

  absl::Status AddTensors(const SafetensorsFile& shard) {
    for (const SafetensorsEntry& entry : shard.entries()) {
      const std::optional<DType> dtype = WeightType(entry.type);
      if (!dtype) {
        return RefuseModel(shard.path(), absl::StrCat("tensor ", entry.name, " has type ",
                                                      SafetensorsTypeName(entry.type),
                                                      ", supported are F32, F16 and BF16"));
      }
      if (!places_.emplace(entry.name, Place{&shard, &entry}).second) {
        return RefuseModel(shard.path(), absl::StrCat("tensor ", entry.name,
                                                      " is in another file of the model as well"));
      }
      tensors_.push_back({entry.name, *dtype, entry.shape});
    }
    return absl::OkStatus();
  }

  // Every tensor lies in the file that the index names for it.
  absl::Status CheckIndex() const {
    for (const auto& [tensor, file] : index_) {
      const auto it = places_.find(tensor);
      if (it == places_.end() || it->second.shard->path() != Path(file)) {
        return RefuseModel(Path(kIndex), absl::StrCat("tensor ", tensor, " is not in ", file,
                                                      " as the index says"));
      }
    }
    return absl::OkStatus();
  }

  std::string directory_;
  LlamaConfig config_;
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, Place> places_;
  std::map<std::string, std::string> index_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ModelSource>> OpenHuggingFaceModel(const std::string& directory) {
  auto model = std::make_unique<HuggingFaceModel>(directory);
  SCM_RETURN_IF_ERROR(model->Init());
  return model;
}

}  // namespace scm
