// report: fetches the experiment's report, adapters and exported model, or renders one of what is
// known so far. Below it, lint.
#include <cstdio>

#include "scmctl/app.h"
#include "scmctl/commands/lint.h"
#include "scmctl/commands/report_files.h"
#include "scmctl/progress.h"

namespace scm::ctl {
namespace {

Json PathOrNull(bool there, const std::string& path) { return there ? Json(path) : Json(nullptr); }

int Report(const App& app, const std::string& id, const ReportOptions& options) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> status = client.Query(Topic::kStatus, id);
    if (!status.ok()) return Fail(status.status());
    const Json& experiment = MemberAt(*status, "experiment");
    const absl::StatusOr<ReportFiles> files = FetchReport(client, experiment, options);
    if (!files.ok()) return Fail(files.status());
    if (app.json()) {
      const std::string& directory = files->directory;
      const bool model = files->model_bytes > 0;
      const Json answer = {{"experiment", MemberAt(experiment, "id")},
                           {"path", directory},
                           {"interim", files->interim},
                           {"report", directory + "/report.html"},
                           {"adapters", PathOrNull(files->adapters, directory + "/adapters")},
                           {"adapter", PathOrNull(files->adapter, directory + "/adapter")},
                           {"model", PathOrNull(model, directory + "/model")},
                           {"model_bytes", model ? Json(files->model_bytes) : Json(nullptr)}};
      std::printf("%s\n", DumpJson(answer, 2).c_str());
    } else {
      if (files->interim) {
        std::printf("The experiment has no report yet: this one shows what is known so far.\n");
      }
      std::printf("%s", DescribeFiles(*files, "").c_str());
    }
    return files->model.ok() ? static_cast<int>(kExitOk) : Fail(files->model);
  });
}

}  // namespace

void AddReportCommand(CLI::App& root, App& app) {
  static std::string id;
  static ReportOptions options;
  options.progress = ShowProgress;
  static CLI::App* verb = nullptr;
  verb = AddVerb(root, app, "report", "Write the report, the adapters and the model to a directory",
                 "scmctl report scm-legal-1b --out legal", [&app] {
                   // CLI11 calls this behind a verb below it, too.
                   if (!verb->get_subcommands().empty()) return static_cast<int>(kExitOk);
                   if (id.empty()) throw CLI::RequiredError("ID");
                   return Report(app, id, options);
                 });
  verb->add_option("ID", id, "Experiment id or name");
  verb->add_option("--out", options.directory, "Directory (default: ./runs/NAME-ID)");
  verb->add_flag("--without-model", options.without_model,
                 "Leave out the merged model, which can be large");
  AddLintCommand(*verb, app);
}

}  // namespace scm::ctl
