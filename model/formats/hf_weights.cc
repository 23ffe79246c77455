#include "model/formats/hf_weights.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/formats/mapped_file.h"

namespace scm::model {
namespace {

constexpr char kIndex[] = "model.safetensors.index.json", kSingle[] = "model.safetensors";
constexpr char kEmbeddings[] = "model.embed_tokens.weight", kHead[] = "lm_head.weight";
constexpr size_t kMaxShards = 4096;

absl::Status RefuseModel(absl::string_view where, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", problem));
}

}  // namespace

std::string HuggingFaceWeights::Path(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name);
}

absl::Status HuggingFaceWeights::Open() {
  SCM_RETURN_IF_ERROR(OpenShards());
  for (const auto& shard : shards_) SCM_RETURN_IF_ERROR(AddTensors(*shard));
  return CheckIndex();
}

absl::Status HuggingFaceWeights::OpenShard(const std::string& name) {
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsFile> shard, SafetensorsFile::Open(Path(name)));
  shards_.push_back(std::move(shard));
  return absl::OkStatus();
}

absl::Status HuggingFaceWeights::OpenShards() {
  if (!FileExists(Path(kIndex))) {
    if (FileExists(Path(kSingle))) return OpenShard(kSingle);
    return absl::NotFoundError(absl::StrCat(
        directory_, " holds neither model.safetensors nor ", kIndex,
        FileExists(Path("pytorch_model.bin"))
            ? "; pytorch_model.bin can run code when it is read and is not: save the model with "
              "safe_serialization=True"
            : ": the download may be incomplete"));
  }
  SCM_RETURN_IF_ERROR(ReadIndex());
  SCM_RETURN_IF_ERROR(CheckOneSource());
  std::set<std::string> names;
  for (const auto& [tensor, file] : index_) names.insert(file);
  if (names.size() > kMaxShards) return RefuseModel(Path(kIndex), "names too many files");
  for (const std::string& name : names) SCM_RETURN_IF_ERROR(OpenShard(name));
  return absl::OkStatus();
}

absl::Status HuggingFaceWeights::ReadIndex() {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> text, MappedFile::Open(Path(kIndex)));
  SCM_ASSIGN_OR_RETURN(const SortedJson index, ParseSortedJson(text->bytes(), Path(kIndex)));
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return RefuseModel(Path(kIndex), "expected an object \"weight_map\"");
  }
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || name[0] == '.' || absl::StrContains(name, "/") ||
        absl::StrContains(name, std::string(1, '\0'))) {
      return RefuseModel(Path(kIndex),
                         absl::StrCat("tensor \"", tensor, "\" lies in ", DumpJson(file),
                                      ", expected the name of a file beside the index"));
    }
    index_[tensor] = name;
  }
  return absl::OkStatus();
}

// transformers takes the single file, other programs the index.
absl::Status HuggingFaceWeights::CheckOneSource() const {
  if (!FileExists(Path(kSingle))) return absl::OkStatus();
  for (const auto& [tensor, file] : index_) {
    if (file == kSingle) continue;
    return RefuseModel(
        directory_,
        absl::StrCat("holds model.safetensors, and ", kIndex, ", which names other files (", file,
                     "): two models in one directory. transformers would read "
                     "model.safetensors; remove the one that is not meant"));
  }
  return absl::OkStatus();
}

absl::Status HuggingFaceWeights::AddTensors(const SafetensorsFile& shard) {
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
absl::Status HuggingFaceWeights::CheckIndex() const {
  for (const auto& [tensor, file] : index_) {
    const auto it = places_.find(tensor);
    if (it == places_.end() || it->second.shard->path() != Path(file)) {
      return RefuseModel(
          Path(kIndex), absl::StrCat("tensor ", tensor, " is not in ", file, " as the index says"));
    }
  }
  return absl::OkStatus();
}

void HuggingFaceWeights::SettleHead(LlamaConfig* config) {
  const auto head = places_.find(kHead);
  if (!config->tied_embeddings || head == places_.end()) return;
  const auto info = std::find_if(tensors_.begin(), tensors_.end(),
                                 [](const TensorInfo& tensor) { return tensor.name == kHead; });
  const auto embeddings = places_.find(kEmbeddings);
  if (embeddings == places_.end()) {
    // Programs that store a shared tensor once may store it under this name.
    info->name = kEmbeddings;
    places_[kEmbeddings] = head->second;
    places_.erase(head);
    return;
  }
  const Place &a = head->second, &b = embeddings->second;
  if (a.entry->type == b.entry->type && a.entry->shape == b.entry->shape && a.data() == b.data()) {
    tensors_.erase(info);
    places_.erase(head);
    return;
  }
  config->tied_embeddings = false;
  warnings_.push_back(absl::StrCat(
      directory_, ": config.json says tie_word_embeddings: true, but ", a.shard->path(),
      " holds a lm_head.weight of its own, which differs from the embeddings; it is used, as by "
      "transformers 5 (transformers 4 ties and drops it). Set tie_word_embeddings to false, or "
      "remove the tensor"));
}

absl::Status HuggingFaceWeights::ReadFloat32(const std::string& name, float* out) const {
  const auto it = places_.find(name);
  if (it == places_.end()) {
    return absl::NotFoundError(absl::StrCat(directory_, ": there is no tensor ", name));
  }
  return it->second.shard->ReadFloat32(*it->second.entry, out);
}

}  // namespace scm::model
