#include "trainer/export/merge.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "model/formats/hf_export.h"
#include "model/formats/llama_tensors.h"
#include "model/formats/safetensors_writer.h"
#include "model/model_source.h"
#include "model/open_model.h"
#include "trainer/data/adapter_input.h"
#include "trainer/loop/tensor_file.h"

namespace scm::trainer {
namespace {

// The precision in which the merged model is stored.
model::SafetensorsType StoredType(const model::ModelSource& source) {
  for (const model::TensorInfo& tensor : source.tensors()) {
    if (tensor.name != "model.embed_tokens.weight") continue;
    if (tensor.dtype == model::DType::kF32) return model::SafetensorsType::kF32;
    if (tensor.dtype == model::DType::kF16) return model::SafetensorsType::kF16;
  }
  return model::SafetensorsType::kBF16;
}

const char* TorchName(model::SafetensorsType type) {
  if (type == model::SafetensorsType::kF32) return "float32";
  return type == model::SafetensorsType::kF16 ? "float16" : "bfloat16";
}

class Merger {
 public:
  Merger(const model::ModelSource& source, const AdapterFile& adapter,
         std::function<bool(int64_t)> go_on)
      : source_(source), adapter_(*adapter.weights), go_on_(std::move(go_on)) {
    for (size_t i = 0; i < adapter.shapes.size(); ++i) {
      shapes_.emplace(adapter.config.only[i], adapter.shapes[i]);
    }
  }

  absl::Status Write(const std::string& path, model::SafetensorsType type) {
    std::vector<model::TensorToWrite> tensors;
    for (const model::TensorInfo& tensor : source_.tensors()) {
      tensors.push_back(
          {tensor.name, type, tensor.shape, [this, &tensor, type](const model::TensorSink& sink) {
             return WriteOne(tensor, type, sink);
           }});
    }
    return model::WriteSafetensors(path, std::move(tensors));
  }

 private:
  absl::Status WriteOne(const model::TensorInfo& tensor, model::SafetensorsType type,
                        const model::TensorSink& sink) {
    at::Tensor weight = at::empty(tensor.shape, at::kFloat);
    SCM_RETURN_IF_ERROR(source_.ReadFloat32(tensor.name, weight.data_ptr<float>()));
    const std::string module(absl::StripSuffix(tensor.name, ".weight"));
    const auto shape = shapes_.find(module);
    if (shape != shapes_.end()) SCM_RETURN_IF_ERROR(Merge(module, shape->second, &weight));
    SCM_RETURN_IF_ERROR(model::WriteFloats(sink, type, weight.const_data_ptr<float>(),
                                           model::ElementCount(tensor.shape)));
    if (go_on_ && !go_on_(++written_)) return absl::CancelledError("the merge was interrupted");
    return absl::OkStatus();
  }

  // weight += scale · B A
  absl::Status Merge(const std::string& module, const model::AdapterShape& shape,
                     at::Tensor* weight) {
    at::Tensor down = at::empty({shape.r, weight->size(1)}, at::kFloat);
    at::Tensor up = at::empty({weight->size(0), shape.r}, at::kFloat);
    SCM_RETURN_IF_ERROR(ReadTensor(adapter_, AdapterTensorName(module, 'A'), &down));
    SCM_RETURN_IF_ERROR(ReadTensor(adapter_, AdapterTensorName(module, 'B'), &up));
    weight->addmm_(up, down, 1, shape.scale);
    return absl::OkStatus();
  }

  const model::ModelSource& source_;
  const model::SafetensorsFile& adapter_;
  std::map<std::string, model::AdapterShape> shapes_;  // by module
  std::function<bool(int64_t)> go_on_;
  int64_t written_ = 0;
};

}  // namespace

absl::Status WriteMergedModel(const std::string& model_path, const std::string& adapter_dir,
                              const std::string& out_dir,
                              const std::function<bool(int64_t)>& go_on) {
  SCM_ASSIGN_OR_RETURN(const auto source, model::OpenModel(model_path));
  SCM_ASSIGN_OR_RETURN(const AdapterFile adapter, OpenAdapter(adapter_dir, source->config()));
  const model::SafetensorsType type = StoredType(*source);
  SCM_ASSIGN_OR_RETURN(const std::vector<model::CompanionFile> companions,
                       model::CompanionFiles(*source, TorchName(type)));
  SCM_RETURN_IF_ERROR(RemoveRecursively(out_dir));
  SCM_RETURN_IF_ERROR(MakeDirectories(out_dir));
  for (const model::CompanionFile& file : companions) {
    SCM_RETURN_IF_ERROR(WriteFileDurably(absl::StrCat(out_dir, "/", file.name), file.content));
  }
  Merger merger(*source, adapter, go_on);
  SCM_RETURN_IF_ERROR(merger.Write(out_dir + "/model.safetensors", type));
  return SyncDirectory(out_dir);
}

}  // namespace scm::trainer
