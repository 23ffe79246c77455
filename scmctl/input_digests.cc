#include "scmctl/input_digests.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "corpus/input_check.h"
#include "experiment/parse.h"

namespace scm::ctl {
namespace {

class Recorder {
 public:
  absl::Status Add(const std::string& key, const std::string& path, corpus::InputKind kind) {
    if (path.empty() || corpus::FindRecord(records_, path) != nullptr) return absl::OkStatus();
    SCM_ASSIGN_OR_RETURN(corpus::InputRecord record,
                         corpus::RecordInput(key, path, kind, digests_));
    records_.push_back(std::move(record));
    return absl::OkStatus();
  }
  const std::vector<corpus::InputRecord>& records() const { return records_; }

 private:
  FileDigests digests_;
  std::vector<corpus::InputRecord> records_;
};

// Where a trainer of one's own is given a corpus of ours, although no built-in program reads it.
std::string PassedThroughCorpus(const ExperimentSpec& spec) {
  const std::string path = StringAt(spec.opaque_data, "corpus");
  std::error_code error;
  const bool ours = !path.empty() && path[0] == '/' &&
                    std::filesystem::is_directory(path + "/documents", error) &&
                    std::filesystem::is_directory(path + "/items", error);
  return ours ? path : "";
}

}  // namespace

absl::StatusOr<Json> InputDigests(const ExperimentSpec& spec) {
  Recorder recorder;
  const std::optional<ModelSpec> model = ModelForBuiltIns(spec);
  const std::optional<DataSpec> data = DataForBuiltIns(spec);
  const std::string corpus = data ? data->corpus : PassedThroughCorpus(spec);
  SCM_RETURN_IF_ERROR(recorder.Add("data.corpus", corpus, corpus::InputKind::kCorpus));
  if (model) {
    SCM_RETURN_IF_ERROR(recorder.Add("model.base", model->base, corpus::InputKind::kModel));
    SCM_RETURN_IF_ERROR(recorder.Add("model.fallback", model->fallback, corpus::InputKind::kModel));
  }
  if (spec.trainer.built_in()) {
    SCM_RETURN_IF_ERROR(recorder.Add("lora.init", spec.lora.init, corpus::InputKind::kAdapter));
  }
  if (spec.evaluation && spec.HasStage(StageKind::kEvaluate)) {
    for (size_t i = 0; i < spec.evaluation->baselines.size(); ++i) {
      const BaselineSpec& baseline = spec.evaluation->baselines[i];
      const std::string key = absl::StrCat("evaluation.baselines[", i, "].");
      SCM_RETURN_IF_ERROR(recorder.Add(key + "model", baseline.model, corpus::InputKind::kModel));
      SCM_RETURN_IF_ERROR(
          recorder.Add(key + "predictions", baseline.predictions, corpus::InputKind::kFile));
    }
  }
  Json digests = Json::object();
  const auto whole = [&](const char* key, const std::string& path) {
    const corpus::InputRecord* record = corpus::FindRecord(recorder.records(), path);
    if (!path.empty() && record != nullptr) digests[key] = record->sha256;
  };
  whole("corpus", corpus);
  whole("model", model ? model->base : "");
  if (!recorder.records().empty())
    digests["inputs"] = corpus::InputRecordsToJson(recorder.records());
  return digests;
}

}  // namespace scm::ctl
