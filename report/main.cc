// scm-report: the report task of an experiment (docs/trainer-protocol.md), or by hand from its
// evidence.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/version.h"
#include "report/merge_evaluations.h"
#include "report/render.h"

namespace scm::report {
namespace {

absl::StatusOr<Json> ReadJson(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseJson(text, path);
}

absl::StatusOr<Json> WriteReport(const std::string& data_path,
                                 const std::vector<std::string>& evaluation_paths,
                                 const std::string& directory) {
  SCM_ASSIGN_OR_RETURN(const Json data, ReadJson(data_path));
  std::vector<Json> parts;
  for (const std::string& path : evaluation_paths) {
    SCM_ASSIGN_OR_RETURN(parts.emplace_back(), ReadJson(path));
  }
  SCM_ASSIGN_OR_RETURN(const Json evaluation, MergeEvaluations(parts));
  SCM_ASSIGN_OR_RETURN(const RenderedReport report,
                       RenderReport(data, evaluation.is_null() ? nullptr : &evaluation));
  SCM_RETURN_IF_ERROR(MakeDirectories(directory));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.json", report.json));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.md", report.markdown));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.html", report.html));
  // The evidence beside it: from these two the report can be made again.
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report_data.json", DumpJson(data) + "\n"));
  if (!evaluation.is_null()) {
    SCM_RETURN_IF_ERROR(
        WriteFileAtomically(directory + "/evaluation.json", DumpJson(evaluation) + "\n"));
  }
  return report.summary;
}

// One line of the trainer protocol; standard output where a person runs it.
void Say(const Json& line) {
  const char* fd = std::getenv("SCM_REPORT_FD");
  const std::string text = DumpJson(line) + "\n";
  if (write(fd != nullptr ? std::atoi(fd) : STDOUT_FILENO, text.data(), text.size()) < 0) {
    std::perror("scm-report: cannot report");
  }
}

absl::StatusOr<Json> CarryOut(const std::string& spec_path, std::string* directory) {
  SCM_ASSIGN_OR_RETURN(const Json spec, ReadJson(spec_path));
  std::string data;
  std::vector<std::string> evaluations;
  for (const Json& input : MemberAt(spec, "inputs")) {
    const std::string kind = StringAt(input, "kind"), dir = StringAt(input, "dir");
    if (kind == "report_data") data = dir + "/report_data.json";
    if (kind == "evaluation") evaluations.push_back(dir + "/evaluation.json");
  }
  if (data.empty()) return absl::InvalidArgumentError("SCM_SPEC has no input of kind report_data");
  *directory = StringAt(spec, "work_dir") + "/report";
  return WriteReport(data, evaluations, *directory);
}

int RunTask(const std::string& spec_path) {
  Say({{"type", "started"}});
  std::string directory;
  const absl::StatusOr<Json> summary = CarryOut(spec_path, &directory);
  if (!summary.ok()) {
    Say({{"type", "failed"},
         {"kind", "bad_input"},
         {"message", std::string(summary.status().message())}});
    return 1;
  }
  Say({{"type", "artifact"}, {"name", "report"}, {"path", directory}});
  Say({{"type", "done"}, {"summary", *summary}});
  return 0;
}

int RunByHand(const std::string& data, const std::vector<std::string>& evaluations,
              const std::string& out) {
  const absl::StatusOr<Json> summary = WriteReport(data, evaluations, out);
  if (!summary.ok()) {
    std::fprintf(stderr, "scm-report: %s\n", std::string(summary.status().message()).c_str());
    return 2;
  }
  std::printf("%s\n%s/report.html\n", StringAt(*summary, "headline").c_str(), out.c_str());
  return 0;
}

}  // namespace
}  // namespace scm::report

int main(int argc, char** argv) {
  CLI::App app(
      "Computes and writes the report of an experiment. A worker starts it with SCM_SPEC.");
  app.set_version_flag("--version", scm::kVersion);
  std::string data, out = "report";
  std::vector<std::string> evaluations;
  app.add_option("--data", data, "report_data.json");
  app.add_option("--evaluation", evaluations,
                 "evaluation.json; repeat it for one that was made in parts")
      ->allow_extra_args(false);
  app.add_option("--out", out, "Directory to write")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!data.empty()) return scm::report::RunByHand(data, evaluations, out);
  if (const char* spec = std::getenv("SCM_SPEC"); spec != nullptr)
    return scm::report::RunTask(spec);
  std::fprintf(stderr, "scm-report: pass --data FILE, or set SCM_SPEC\n");
  return 2;
}
