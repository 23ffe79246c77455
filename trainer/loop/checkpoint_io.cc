#include "trainer/loop/checkpoint_io.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "trainer/loop/adapter_file.h"
#include "trainer/loop/tensor_file.h"

namespace scm::trainer {
namespace {

constexpr char kOptimizerName[] = "/optimizer.safetensors";
constexpr char kStateName[] = "/training_state.json";

// Name of slot `index` of the optimiser: A then B of each adapter.
std::string SlotName(const std::vector<AdapterPair>& adapters, size_t index) {
  return absl::StrCat(adapters[index / 2].name, index % 2 == 0 ? ".lora_A" : ".lora_B");
}

absl::Status RenameDirectory(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot rename ", from, " to ", to, ": ", std::strerror(errno)));
}

}  // namespace

CheckpointWriter::CheckpointWriter(std::string work_dir, LoraConfig config, std::string base_model,
                                   LlamaModel* model, size_t adapter_set)
    : root_(absl::StrCat(work_dir, "/checkpoints")),
      config_(std::move(config)),
      base_model_(std::move(base_model)),
      model_(model),
      adapter_set_(adapter_set) {}

absl::StatusOr<std::string> CheckpointWriter::Save(const TrainingState& state, AdamW& optimizer) {
  const std::string dir = absl::StrCat(root_, "/step-", state.step);
  const std::string unfinished = absl::StrCat(root_, "/.unfinished-step-", state.step);
  SCM_RETURN_IF_ERROR(RemoveRecursively(unfinished));
  SCM_RETURN_IF_ERROR(MakeDirectories(unfinished));
  SCM_RETURN_IF_ERROR(WriteAdapter(unfinished, config_, base_model_, model_, adapter_set_));
  NamedTensors moments;
  for (size_t i = 0; i < optimizer.slots().size(); ++i) {
    const std::string name = SlotName(model_->adapters(adapter_set_), i);
    moments.emplace_back(absl::StrCat(name, ".exp_avg"), optimizer.slots()[i].exp_avg);
    moments.emplace_back(absl::StrCat(name, ".exp_avg_sq"), optimizer.slots()[i].exp_avg_sq);
  }
  SCM_RETURN_IF_ERROR(WriteTensors(unfinished + kOptimizerName, moments));
  SCM_RETURN_IF_ERROR(
      WriteFileDurably(unfinished + kStateName, DumpJson(TrainingStateToJson(state), 2) + "\n"));
  SCM_RETURN_IF_ERROR(SyncDirectory(unfinished));
  // One from before a crash, which was never reported.
  SCM_RETURN_IF_ERROR(RemoveRecursively(dir));
  SCM_RETURN_IF_ERROR(RenameDirectory(unfinished, dir));
  SCM_RETURN_IF_ERROR(SyncDirectory(root_));
  return dir;
}

absl::StatusOr<TrainingState> ReadTrainingState(const std::string& dir) {
  const std::string path = dir + kStateName;
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(text, path));
  return TrainingStateFromJson(json, path);
}

absl::StatusOr<TrainingState> ReadCheckpoint(const std::string& dir, LlamaModel* model,
                                             AdamW* optimizer, size_t adapter_set) {
  SCM_ASSIGN_OR_RETURN(TrainingState state, ReadTrainingState(dir));
  SCM_RETURN_IF_ERROR(ReadAdapterWeights(dir, model, adapter_set));
  SCM_ASSIGN_OR_RETURN(const auto file, model::SafetensorsFile::Open(dir + kOptimizerName));
  for (size_t i = 0; i < optimizer->slots().size(); ++i) {
    const std::string name = SlotName(model->adapters(adapter_set), i);
    AdamW::Slot& slot = optimizer->slots()[i];
    SCM_RETURN_IF_ERROR(ReadTensor(*file, absl::StrCat(name, ".exp_avg"), &slot.exp_avg));
    SCM_RETURN_IF_ERROR(ReadTensor(*file, absl::StrCat(name, ".exp_avg_sq"), &slot.exp_avg_sq));
  }
  return state;
}

}  // namespace scm::trainer
