// report: fetches the experiment's report and adapters, or renders one of what is known so far.
#include <cstdio>

#include "scmctl/app.h"
#include "scmctl/commands/report_files.h"

namespace scm {
namespace {

int Report(const App& app, const std::string& id, const std::string& directory) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> status = client.Query(v1::QueryRequest::STATUS, id);
    if (!status.ok()) return Fail(status.status());
    const Json& experiment = MemberAt(*status, "experiment");
    const absl::StatusOr<ReportFiles> files = FetchReport(client, experiment, directory);
    if (!files.ok()) return Fail(files.status());
    if (app.json()) {
      const Json answer = {{"experiment", MemberAt(experiment, "id")},
                           {"path", files->directory},
                           {"interim", files->interim},
                           {"report", files->directory + "/report.html"}};
      std::printf("%s\n", DumpJson(answer, 2).c_str());
      return static_cast<int>(kExitOk);
    }
    if (files->interim) {
      std::printf("The experiment has no report yet: this one shows what is known so far.\n");
    }
    std::printf("Report    %s/report.html\n", files->directory.c_str());
    if (files->adapters) std::printf("Adapters  %s/adapters/\n", files->directory.c_str());
    return static_cast<int>(kExitOk);
  });
}

}  // namespace

void AddReportCommand(CLI::App& root, App& app) {
  static std::string id, directory;
  CLI::App* verb = AddVerb(root, app, "report", "Write the report and the adapters to a directory",
                           "scmctl report scm-legal-1b --out legal",
                           [&app] { return Report(app, id, directory); });
  verb->add_option("ID", id, "Experiment id or name")->required();
  verb->add_option("--out", directory, "Directory (default: ./runs/NAME-ID)");
}

}  // namespace scm
