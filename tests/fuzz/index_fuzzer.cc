// Any text as model.safetensors.index.json of a directory with two shards: refused, or every tensor
// of the model can be read. What follows a NUL byte is the second shard, else that is a good one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/formats/hf_model.h"
#include "model/formats/llama_tensors.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/tiny_base.h"

namespace scm::fuzz {
namespace {

// The needed tensors with an even place, or an odd one.
std::string Shard(size_t odd) {
  std::vector<NamedShape> tensors;
  const std::vector<model::NeededTensor> needed = model::NeededTensors(TinyBase());
  for (size_t i = odd; i < needed.size(); i += 2) {
    tensors.push_back({needed[i].name, needed[i].shape});
  }
  return ZeroTensors(tensors);
}

// The files that stay as they are.
const Scratch& Directory() {
  static const Scratch directory;
  static const bool written = [] {
    directory.Write("config.json", TinyBaseJson());
    directory.Write("a.safetensors", Shard(0));
    return true;
  }();
  Require(written, "the files are written");
  return directory;
}

void UseModel(const model::ModelSource& source) {
  const size_t needed = model::NeededTensors(source.config()).size();
  Require(source.tensors().size() >= needed, "every tensor is there");
  for (const model::TensorInfo& tensor : source.tensors()) {
    std::vector<float> values(static_cast<size_t>(model::ElementCount(tensor.shape)));
    Require(source.ReadFloat32(tensor.name, values.data()).ok(), "a listed tensor is read");
  }
}

}  // namespace
}  // namespace scm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string good = scm::fuzz::Shard(1);
  const auto input = scm::fuzz::Cut(absl::string_view(reinterpret_cast<const char*>(data), size));
  const scm::fuzz::Scratch& directory = scm::fuzz::Directory();
  directory.Write("model.safetensors.index.json", input.first);
  directory.Write("b.safetensors", input.has_second ? input.second : good);
  const auto model = scm::model::OpenHuggingFaceModel(directory.path());
  if (model.ok()) scm::fuzz::UseModel(**model);
  return 0;
}
