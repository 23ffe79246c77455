#include "trainer/export/export_job.h"

#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "trainer/data/input_guard.h"
#include "trainer/export/merge.h"
#include "trainer/export/merged_loss.h"
#include "trainer/loop/adapter_readme.h"
#include "trainer/loop/checkpoint_io.h"

namespace scm::trainer {
namespace {

// The loss that decides, infinite where there is none.
double LossOf(const JobInput& input) {
  const absl::StatusOr<TrainingState> state = ReadTrainingState(input.dir);
  const std::optional<double> loss = state.ok() ? state->loss_at_step() : std::nullopt;
  return loss && std::isfinite(*loss) ? *loss : std::numeric_limits<double>::infinity();
}

// The adapter without what only a resumed training needs.
absl::StatusOr<std::string> CopyAdapter(const std::string& from, const JobSpec& spec) {
  const std::string& work_dir = spec.work_dir;
  const std::string to = absl::StrCat(work_dir, "/adapter");
  SCM_RETURN_IF_ERROR(RemoveRecursively(to));
  SCM_RETURN_IF_ERROR(MakeDirectories(to));
  for (const char* name : {"/adapter_config.json", "/adapter_model.safetensors"}) {
    SCM_ASSIGN_OR_RETURN(const std::string content, ReadFile(from + name));
    SCM_RETURN_IF_ERROR(WriteFileDurably(to + name, content));
  }
  SCM_RETURN_IF_ERROR(WriteFileDurably(to + "/README.md", AdapterReadme(spec.model)));
  return to;
}

struct Exported {
  Json formats = Json::array();
  Json merged_into;  // null unless the base was quantised
};

// `merged` is complete; what is beside the model says what it is.
absl::StatusOr<Json> DescribeMerged(const JobSpec& spec, const JobInput& best,
                                    const std::string& merged, InputGuard& guard,
                                    CommandQueue* commands) {
  if (spec.lora.quantize_base == "none") return Json();
  SCM_ASSIGN_OR_RETURN(const MergedLoss loss,
                       MeasureMergedLoss(spec, best, merged, guard,
                                         [commands] { return !commands->stop().has_value(); }));
  SCM_RETURN_IF_ERROR(WriteFileDurably(merged + "/README.md", DescribeMergedLoss(loss)));
  return MergedLossToJson(loss);
}

absl::StatusOr<Exported> ExportAll(const JobSpec& spec, const JobInput& best, InputGuard& guard,
                                   Reporter* reporter, CommandQueue* commands) {
  Exported done;
  for (const std::string& format : spec.export_.formats) {
    if (format == "peft") {
      SCM_ASSIGN_OR_RETURN(const std::string dir, CopyAdapter(best.dir, spec));
      SCM_RETURN_IF_ERROR(reporter->Artifact("adapter", dir));
    } else if (format == "merged") {
      const std::string dir = absl::StrCat(spec.work_dir, "/merged");
      const auto go_on = [&](int64_t tensors) {
        return !commands->stop().has_value() &&
               reporter->Progress(tensors, {{"tensors", static_cast<double>(tensors)}}).ok();
      };
      SCM_RETURN_IF_ERROR(WriteMergedModel(spec.model, best.dir, dir, go_on));
      SCM_RETURN_IF_ERROR(guard.Check(spec.model));  // nor did it change while it was read
      SCM_ASSIGN_OR_RETURN(done.merged_into, DescribeMerged(spec, best, dir, guard, commands));
      SCM_RETURN_IF_ERROR(reporter->Artifact("merged", dir));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("parameters.export.formats: \"", format, "\" is not one of peft, merged"));
    }
    done.formats.push_back(format);
  }
  return done;
}

}  // namespace

absl::StatusOr<JobInput> BestCheckpoint(const std::vector<JobInput>& inputs) {
  const JobInput* best = nullptr;
  double best_loss = 0;
  for (const JobInput& input : inputs) {
    if (input.kind != "checkpoint") continue;
    const double loss = LossOf(input);
    if (best == nullptr || loss < best_loss) {
      best = &input;
      best_loss = loss;
    }
  }
  if (best != nullptr) return *best;
  return absl::InvalidArgumentError("inputs: names no checkpoint, so there is nothing to export");
}

absl::Status RunExportJob(const JobSpec& spec, Reporter* reporter, CommandQueue* commands) {
  SCM_ASSIGN_OR_RETURN(const JobInput best, BestCheckpoint(spec.inputs));
  InputGuard guard(spec);
  SCM_RETURN_IF_ERROR(guard.Check(spec.model));
  const absl::StatusOr<Exported> exported = ExportAll(spec, best, guard, reporter, commands);
  if (absl::IsCancelled(exported.status())) return reporter->Stopped(0);
  SCM_RETURN_IF_ERROR(exported.status());
  Json summary = {{"formats", exported->formats},
                  {"run", best.run.empty() ? Json() : Json(best.run)},
                  {"seed", best.seed},
                  {"step", best.step}};
  if (!exported->merged_into.is_null()) summary["merged_into"] = exported->merged_into;
  return reporter->Done(summary);
}

}  // namespace scm::trainer
