#include "coordinator/controller/submission.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "experiment/parse.h"
#include "experiment/tree.h"

namespace scm::controller {
namespace {

constexpr size_t kWarnings = 100, kWarningBytes = 500;  // kept of one submission

}  // namespace

absl::StatusOr<Reply> Submit(ControllerContext& context, const SubmitInput& input) {
  if (!input.request_id.empty()) {
    const std::string* known = context.cluster.ExperimentOfRequest(input.request_id);
    if (known != nullptr) return *known;
  }
  ParsedExperiment parsed = ParseExperiment(input.spec_json, {"/", /*check_paths=*/false});
  if (!parsed.spec) {
    std::vector<std::string> lines;
    for (const Diagnostic& error : parsed.errors) {
      lines.push_back(absl::StrCat(error.key, ": ", error.message));
    }
    return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  }
  // As it is stored it must be readable again.
  if (DumpJson(SpecToJson(*parsed.spec)).size() > experiment_file::kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("with its defaults the experiment has more than ",
                     experiment_file::kMaxFileBytes, " bytes"));
  }
  Experiment experiment;
  experiment.id = context.cluster.NewId<ExperimentId>();
  experiment.name = parsed.spec->name;
  experiment.submitted_at = context.now;
  experiment.source = input.source;
  for (const std::string& warning : input.warnings) {
    if (experiment.warnings.size() >= kWarnings) break;
    experiment.warnings.push_back(LineOf(warning, kWarningBytes));
  }
  for (const StageKind stage : parsed.spec->stages) {
    StageRecord record;
    record.kind = stage;
    experiment.stages.push_back(record);
  }
  experiment.spec = std::make_shared<ExperimentSpec>(*std::move(parsed.spec));
  const ExperimentId id = experiment.id;
  SCM_RETURN_IF_ERROR(context.cluster.Add(std::move(experiment)));
  if (!input.request_id.empty()) context.cluster.AddRequest(input.request_id, id.str());
  context.Event(id, id.str(), "experiment_submitted", context.cluster.experiments.Find(id)->name);
  context.touched.insert(id);
  return id.str();
}

}  // namespace scm::controller
