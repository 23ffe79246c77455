#include "scmctl/commands/report_files.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "report/merge_evaluations.h"
#include "report/render.h"
#include "scmctl/commands/use_it.h"

namespace scm::ctl {
namespace {

// Of the artifacts of this name, in order of their tasks.
std::vector<Json> ArtifactsNamed(const Json& answer, const std::string& name) {
  std::vector<Json> found;
  for (const Json& artifact : MemberAt(answer, "artifacts")) {
    if (StringAt(artifact, "name") == name) found.push_back(artifact);
  }
  return found;
}

// A directory of the report is ours: what an earlier call left there is replaced.
DownloadOptions Replacing(const ReportOptions& options, const std::string& what) {
  DownloadOptions how = options.progress ? options.progress(what) : DownloadOptions();
  how.replace = true;
  return how;
}

// The best checkpoint of a seed without what only a resumed training needs: the adapter.
DownloadOptions AdapterAlone(DownloadOptions how) {
  how.leave_out = {"optimizer.safetensors", "training_state.json"};
  return how;
}

// Every model's answers, as far as they were scored; null without any.
absl::StatusOr<Json> FetchEvaluation(Client& client, const Json& artifacts,
                                     const std::string& directory, const ReportOptions& options) {
  std::vector<Json> parts;
  for (const Json& artifact : ArtifactsNamed(artifacts, "evaluation")) {
    const std::string id = StringAt(artifact, "id");
    const std::string part = absl::StrCat(directory, "/", id);
    SCM_RETURN_IF_ERROR(client.Download(id, part, Replacing(options, id)));
    SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(part + "/evaluation.json"));
    SCM_ASSIGN_OR_RETURN(parts.emplace_back(), ParseJson(text, "evaluation.json"));
  }
  return report::MergeEvaluations(parts);
}

absl::Status RenderNow(Client& client, const std::string& id, const Json& artifacts,
                       const std::string& directory, const ReportOptions& options) {
  SCM_ASSIGN_OR_RETURN(const Json data, client.Query(Topic::kReportData, id));
  SCM_ASSIGN_OR_RETURN(const Json evaluation,
                       FetchEvaluation(client, artifacts, directory + "/parts", options));
  SCM_ASSIGN_OR_RETURN(const report::RenderedReport report,
                       report::RenderReport(data, evaluation.is_null() ? nullptr : &evaluation));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.json", report.json));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.md", report.markdown));
  return WriteFileAtomically(directory + "/report.html", report.html);
}

// What export made, under names that say what it is. Somebody may have changed a model that lies
// there already: it is not replaced.
absl::Status FetchExport(Client& client, const Json& artifacts, const ReportOptions& options,
                         ReportFiles& files) {
  if (const auto adapters = ArtifactsNamed(artifacts, "adapter"); !adapters.empty()) {
    SCM_RETURN_IF_ERROR(client.Download(StringAt(adapters.back(), "id"),
                                        files.directory + "/adapter",
                                        Replacing(options, "adapter")));
    files.adapter = true;
  }
  const auto merged = ArtifactsNamed(artifacts, "merged");
  if (merged.empty() || options.without_model) return absl::OkStatus();
  DownloadOptions how = options.progress ? options.progress("model") : DownloadOptions();
  SCM_RETURN_IF_ERROR(
      client.Download(StringAt(merged.back(), "id"), files.directory + "/model", how));
  files.model_bytes = IntegerAt(merged.back(), "bytes", 0);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReportFiles> FetchReport(Client& client, const Json& experiment,
                                        const ReportOptions& options) {
  const std::string id = StringAt(experiment, "id"), name = StringAt(experiment, "name");
  ReportFiles files;
  files.directory = AbsolutePath(
      options.directory.empty() ? absl::StrCat("runs/", name, "-", id) : options.directory,
      std::filesystem::current_path().string());
  SCM_ASSIGN_OR_RETURN(const Json artifacts, client.Query(Topic::kArtifacts, id));
  SCM_RETURN_IF_ERROR(MakeDirectories(files.directory));
  const std::vector<Json> reports = ArtifactsNamed(artifacts, "report");
  files.interim = reports.empty();
  SCM_RETURN_IF_ERROR(reports.empty()
                          ? RenderNow(client, id, artifacts, files.directory, options)
                          : client.Download(StringAt(reports.back(), "id"), files.directory,
                                            Replacing(options, "report")));
  for (const Json& adapter : MemberAt(artifacts, "adapters")) {
    const std::string seed = absl::StrCat("adapters/seed-", IntegerAt(adapter, "seed", 0));
    SCM_RETURN_IF_ERROR(client.Download(StringAt(adapter, "checkpoint"),
                                        absl::StrCat(files.directory, "/", seed),
                                        AdapterAlone(Replacing(options, seed))));
    files.adapters = true;
  }
  files.model = FetchExport(client, artifacts, options, files);
  const bool model = FileExists(files.directory + "/model/config.json");
  SCM_RETURN_IF_ERROR(
      WriteUseIt({name, id, files.adapters, files.adapter, model}, files.directory));
  return files;
}

std::string DescribeFiles(const ReportFiles& files, const std::string& prefix) {
  std::string text = absl::StrCat(prefix, "Report    ", files.directory, "/report.html",
                                  files.interim ? "" : " (with the learning curves)", "\n");
  if (files.adapters) {
    absl::StrAppend(&text, prefix, "Adapters  ", files.directory, "/adapters/\n");
  }
  if (files.adapter) {
    absl::StrAppend(&text, prefix, "Adapter   ", files.directory, "/adapter/ (the exported one)\n");
  }
  if (files.model_bytes > 0) {
    absl::StrAppend(&text, prefix, "Model     ", files.directory, "/model/ (",
                    HumanBytes(files.model_bytes), ")\n");
  }
  if (files.adapter || files.adapters || files.model_bytes > 0) {
    absl::StrAppend(&text, prefix, "Use it    ", files.directory, "/README.md\n");
  }
  return text;
}

}  // namespace scm::ctl
