#include "scmctl/commands/lint.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "claims/lint.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace scm::ctl {
namespace {

struct LintOptions {
  std::string draft, report;
  std::vector<std::string> aliases;
};

absl::StatusOr<claims::DraftFormat> FormatOf(const std::string& path) {
  if (absl::EndsWith(path, ".tex")) return claims::DraftFormat::kLatex;
  for (const char* ending : {".md", ".markdown", ".txt"}) {
    if (absl::EndsWith(path, ending)) return claims::DraftFormat::kMarkdown;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": expected a draft in Markdown (.md, .txt) or LaTeX (.tex)"));
}

// The report.json that --report means, or the only one below ./runs.
absl::StatusOr<std::string> ReportPath(const std::string& given) {
  std::error_code ignored;
  if (!given.empty()) {
    return std::filesystem::is_directory(given, ignored) ? given + "/report.json" : given;
  }
  std::vector<std::string> found;
  for (std::filesystem::directory_iterator at("runs", ignored), end; at != end;
       at.increment(ignored)) {
    const std::string path = (at->path() / "report.json").string();
    if (FileExists(path)) found.push_back(path);
  }
  if (found.size() == 1) return found.front();
  std::sort(found.begin(), found.end());
  return absl::InvalidArgumentError(absl::StrCat(
      found.empty() ? "there is no report below ./runs: `scmctl report NAME` fetches one"
                    : absl::StrCat("there are several reports: ", absl::StrJoin(found, ", ")),
      "; --report names its directory"));
}

absl::StatusOr<claims::Aliases> AliasesOf(const std::vector<std::string>& texts) {
  claims::Aliases aliases;
  for (const std::string& text : texts) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    if (parts.first.empty() || parts.second.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--alias ", text, ": expected WORDS=NAME, as in \"the 3B model\"=llama-3b"));
    }
    aliases.insert(parts);
  }
  return aliases;
}

void Print(const std::string& draft, const claims::LintResult& result) {
  for (const claims::SentenceFinding& one : result.findings) {
    const bool refused = one.verdict == claims::Verdict::kRefused;
    if (!refused && one.instead.empty()) continue;
    std::printf("%s:%d: %s\n  %s\n", draft.c_str(), one.line,
                refused ? absl::StrCat("not supported: ", absl::StrJoin(one.reasons, "; ")).c_str()
                        : "supported; its interval is missing",
                TextOf(one.sentence).c_str());
    for (const std::string& instead : one.instead)
      std::printf("    → %s\n", TextOf(instead).c_str());
  }
  std::printf("%d sentences, %d with results: %d supported, %d not supported\n", result.sentences,
              result.supported + result.refused, result.supported, result.refused);
  if (result.table_rows > 0) {
    std::printf("%d rows of tables were not looked at\n", result.table_rows);
  }
  if (result.cited > 0) {
    std::printf("%d sentences are about the work of others, which they cite\n", result.cited);
  }
}

absl::StatusOr<claims::LintResult> LintFile(const LintOptions& options) {
  SCM_ASSIGN_OR_RETURN(const claims::DraftFormat format, FormatOf(options.draft));
  SCM_ASSIGN_OR_RETURN(const std::string draft, ReadFile(options.draft));
  SCM_ASSIGN_OR_RETURN(const std::string path, ReportPath(options.report));
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(const Json report, ParseJson(text, path));
  SCM_ASSIGN_OR_RETURN(const claims::Aliases aliases, AliasesOf(options.aliases));
  absl::StatusOr<claims::LintResult> result = claims::LintDraft(draft, format, report, aliases);
  if (!result.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", result.status().message()));
  }
  return result;
}

int Lint(const App& app, const LintOptions& options) {
  const absl::StatusOr<claims::LintResult> result = LintFile(options);
  if (!result.ok()) return Fail(result.status());
  if (app.json()) {
    std::printf("%s\n", DumpJson(claims::ToJson(*result), 2).c_str());
  } else {
    Print(options.draft, *result);
  }
  return result->refused > 0 ? kExitFailed : kExitOk;
}

}  // namespace

void AddLintCommand(CLI::App& report, App& app) {
  static LintOptions options;
  CLI::App* verb = AddVerb(report, app, "lint",
                           "Find sentences of a draft that the stored results do not support",
                           "scmctl report lint paper.tex --report runs/scm-legal-1b-e-1",
                           [&app] { return Lint(app, options); });
  verb->add_option("FILE", options.draft, "A draft in Markdown (.md, .txt) or LaTeX (.tex)")
      ->required();
  verb->add_option("--report", options.report,
                   "report.json or its directory (default: the only one below ./runs)");
  verb->add_option("--alias", options.aliases,
                   "WORDS=NAME: how the draft calls a baseline or task; repeatable");
}

}  // namespace scm::ctl
