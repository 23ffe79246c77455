#include "trainer/loop/tensor_file.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "model/formats/safetensors_writer.h"

namespace scm::trainer {

absl::Status WriteTensors(const std::string& path, const NamedTensors& tensors) {
  std::vector<at::Tensor> on_host;  // keeps the bytes alive while they are written
  std::vector<model::TensorToWrite> to_write;
  for (const auto& [name, tensor] : tensors) {
    on_host.push_back(tensor.to(at::kCPU).contiguous());
    to_write.push_back(model::TensorInMemory(name, model::SafetensorsType::kF32,
                                             tensor.sizes().vec(),
                                             on_host.back().const_data_ptr<float>()));
  }
  return model::WriteSafetensors(path, std::move(to_write));
}

absl::Status ReadTensor(const model::SafetensorsFile& file, const std::string& name,
                        at::Tensor* tensor) {
  SCM_ASSIGN_OR_RETURN(const model::SafetensorsEntry* entry, file.Find(name));
  if (entry->shape != tensor->sizes().vec()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.path(), ": tensor ", name, " has shape [", absl::StrJoin(entry->shape, ", "),
        "], expected [", absl::StrJoin(tensor->sizes().vec(), ", "), "]"));
  }
  at::Tensor values = at::empty(tensor->sizes(), at::kFloat);
  SCM_RETURN_IF_ERROR(file.ReadFloat32(*entry, values.data_ptr<float>()));
  tensor->copy_(values);
  return absl::OkStatus();
}

}  // namespace scm::trainer
