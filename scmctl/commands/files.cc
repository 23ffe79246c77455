// validate, plan, submit: commands that take an experiment file.
#include "common/files.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/suggest.h"
#include "common/text.h"
#include "experiment/keys.h"
#include "experiment/parse.h"
#include "scmctl/app.h"
#include "scmctl/epochs.h"
#include "scmctl/input_checks.h"
#include "scmctl/input_digests.h"
#include "scmctl/plan/plan.h"

namespace scm::ctl {
namespace {

constexpr size_t kMaxSource = 1 << 20;  // no experiment file is longer
constexpr size_t kLongestLine = 64 << 10;

struct ReadExperiment {
  std::string text;  // as it was checked
  ParsedExperiment parsed;
};

// The file, its epochs counted in steps.
ParsedExperiment ParseCounted(const std::string& text, ParseOptions options) {
  // With a run so long nothing else of the file depends on its length.
  options.epoch_steps = experiment_file::kManySteps;
  ParsedExperiment parsed = ParseExperiment(text, options);
  if (!parsed.spec || !parsed.spec->training.epochs || parsed.lines.count("training.max_steps")) {
    return parsed;
  }
  const absl::StatusOr<trainer::TrainingRows> rows = CountTrainingRows(*parsed.spec);
  const absl::StatusOr<int64_t> steps =
      rows.ok() ? StepsOfTraining(*parsed.spec, *rows) : rows.status();
  if (!steps.ok()) {
    const std::string key = "training.epochs";
    parsed.errors.push_back({parsed.lines[key], key,
                             absl::StrCat("cannot be counted in steps: ", steps.status().message(),
                                          ". Give max_steps instead")});
    return parsed;
  }
  options.epoch_steps = *steps;
  return ParseExperiment(text, options);
}

// The file and everything it names. A plan needs no model: one that is not there yet is a warning.
absl::StatusOr<ReadExperiment> Read(const std::string& file, bool need_models) {
  ReadExperiment read;
  const std::filesystem::path path(AbsolutePath(file, std::filesystem::current_path().string()));
  if (!FileExists(path)) {
    const absl::StatusOr<std::vector<std::string>> names = ListDirectory(path.parent_path());
    const std::string near = names.ok() ? Suggest(path.filename().string(), *names) : "";
    return absl::InvalidArgumentError(absl::StrCat(
        file, ": there is no such file",
        near.empty()
            ? ""
            : absl::StrCat(". Did you mean ",
                           (std::filesystem::path(file).parent_path() / near).string(), "?")));
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, " is a directory; give the experiment file itself"));
  }
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return absl::InvalidArgumentError(text.status().message());
  read.text = *text;
  read.parsed = ParseCounted(
      *text,
      {.base_directory = path.parent_path(), .check_paths = true, .need_models = need_models});
  CheckInputs(read.parsed);
  CheckDates(read.parsed, absl::Now());
  if (!read.parsed.errors.empty()) read.parsed.spec.reset();
  return read;
}

// File names and what stands in files may be any bytes.
std::string Line(const std::string& file, const Diagnostic& diagnostic) {
  return TextOf(FormatDiagnostic(file, diagnostic), kLongestLine);
}

// Every error and warning of the file, in its order. 2 when there is an error.
int PrintDiagnostics(const std::string& file, const ParsedExperiment& parsed,
                     const char* consequence) {
  for (const Diagnostic& error : parsed.errors) {
    std::fprintf(stderr, "%s\n", Line(file, error).c_str());
  }
  for (const Diagnostic& warning : parsed.warnings) {
    std::fprintf(stderr, "warning: %s\n", Line(file, warning).c_str());
  }
  if (parsed.errors.empty()) return kExitOk;
  std::fprintf(stderr, "%zu error%s; %s.\n", parsed.errors.size(),
               parsed.errors.size() == 1 ? "" : "s", consequence);
  return kExitUsage;
}

// What the coordinator knows, or nothing when none answers.
std::optional<PlanInventory> Inventory(const App& app) {
  const auto client = Connect(app.client);
  if (!client.ok()) return std::nullopt;
  const absl::StatusOr<Json> answer = (*client)->Query(Topic::kInventory, "");
  return answer.ok() ? std::optional(InventoryFromJson(*answer)) : std::nullopt;
}

// The programs that no worker may start: waiting for one that may is no use to anybody.
void CheckPrograms(const App& app, ParsedExperiment& parsed) {
  const std::optional<PlanInventory> inventory = Inventory(app);
  if (!inventory) return;
  for (const RefusedProgram& refused : RefusedPrograms(*parsed.spec, *inventory)) {
    const auto line = parsed.lines.find(refused.key);
    parsed.errors.push_back(
        {line == parsed.lines.end() ? 0 : line->second, refused.key, refused.message});
  }
}

Json DiagnosticsJson(const std::vector<Diagnostic>& diagnostics) {
  Json list = Json::array();
  for (const Diagnostic& d : diagnostics) {
    list.push_back({{"line", d.line}, {"key", LineOf(d.key)}, {"message", TextOf(d.message)}});
  }
  return list;
}

int Validate(const App& app, const std::string& file) {
  const absl::StatusOr<ReadExperiment> read = Read(file, /*need_models=*/true);
  if (!read.ok()) return Fail(read.status());
  const ParsedExperiment& parsed = read->parsed;
  if (app.json()) {
    const Json answer = {{"valid", parsed.errors.empty()},
                         {"errors", DiagnosticsJson(parsed.errors)},
                         {"warnings", DiagnosticsJson(parsed.warnings)}};
    std::printf("%s\n", DumpJson(answer, 2).c_str());
    return parsed.errors.empty() ? kExitOk : kExitUsage;
  }
  const int code = PrintDiagnostics(file, parsed, "the file is not valid");
  if (code == kExitOk) std::printf("%s is valid.\n", LineOf(file).c_str());
  return code;
}

int Plan(const App& app, const std::string& file) {
  const absl::StatusOr<ReadExperiment> read = Read(file, /*need_models=*/false);
  if (!read.ok()) return Fail(read.status());
  if (!read->parsed.errors.empty()) {
    return PrintDiagnostics(file, read->parsed, "nothing was planned");
  }
  // A coordinator helps with measured speeds and real prices, but is not needed.
  const std::optional<PlanInventory> inventory = Inventory(app);
  Json plan = MakePlan(*read->parsed.spec, inventory ? &*inventory : nullptr);
  plan["packing"] = read->parsed.packing.empty() ? Json() : Json(read->parsed.packing);
  const absl::StatusOr<trainer::TrainingRows> rows = CountTrainingRows(*read->parsed.spec);
  plan["training"] = rows.ok() ? EpochsToJson(*read->parsed.spec, *rows) : Json(nullptr);
  for (const Diagnostic& warning : read->parsed.warnings) {
    plan["warnings"].push_back(warning.message);
  }
  if (app.json()) {
    std::printf("%s\n", DumpJson(plan, 2).c_str());
  } else {
    std::fputs(
        RenderPlan(CleanTexts(plan), *read->parsed.spec, app.terminal.width, app.terminal.colour)
            .c_str(),
        stdout);
  }
  const Json& unplaceable = MemberAt(plan, "unplaceable");
  return unplaceable.is_array() && !unplaceable.empty() ? kExitUnplaceable : kExitOk;
}

std::string NewRequestId() {
  uint64_t words[2] = {0, 0};
  if (getentropy(words, sizeof words) != 0) words[0] = static_cast<uint64_t>(getpid());
  return absl::StrFormat("%016x%016x", words[0], words[1]);
}

int Submit(App& app, const std::string& file, bool follow, std::string request_id) {
  const absl::StatusOr<ReadExperiment> read = Read(file, /*need_models=*/true);
  if (!read.ok()) return Fail(read.status());
  ParsedExperiment parsed = read->parsed;
  if (parsed.errors.empty()) CheckPrograms(app, parsed);
  if (const int code = PrintDiagnostics(file, parsed, "nothing was submitted"); code != 0) {
    return code;
  }
  const absl::StatusOr<Json> digests = InputDigests(*parsed.spec);
  if (!digests.ok()) return Fail(digests.status());
  parsed.spec->digests = *digests;
  if (request_id.empty()) request_id = NewRequestId();
  if (follow) CatchInterrupt(app);
  return WithClient(app, [&](Client& client) {
    v1::SubmitRequest request;
    request.set_request_id(request_id);
    request.set_spec_json(DumpJson(SpecToJson(*parsed.spec)));
    request.set_source(TextOf(read->text, kMaxSource));
    for (const Diagnostic& warning : parsed.warnings) {
      request.add_warnings(TextOf(warning.message));
    }
    const absl::StatusOr<std::string> id = client.Submit(request);
    if (!id.ok()) {
      const int code = Fail(id.status());
      if (code == kExitLostContact) {
        std::fprintf(stderr, "It may have been submitted. Repeating is safe with --request-id %s\n",
                     request_id.c_str());
      }
      return code;
    }
    if (app.json() && !follow) {
      std::printf("%s\n", DumpJson(Json({{"experiment", *id}}), 2).c_str());
    } else if (!app.json()) {
      std::printf("Submitted %s as %s. Watch it: scmctl watch %s\n", parsed.spec->name.c_str(),
                  id->c_str(), id->c_str());
    }
    return follow ? FollowExperiment(app, client, *id, /*fetch_report=*/true)
                  : static_cast<int>(kExitOk);
  });
}

}  // namespace

void AddFileCommands(CLI::App& root, App& app) {
  static std::string file, request_id;
  static bool follow = false;
  const auto with_file = [&](CLI::App* verb) {
    verb->add_option("FILE", file, "Experiment file (docs/experiment-file.md)")->required();
    return verb;
  };
  with_file(AddVerb(root, app, "validate", "Check an experiment file and everything it names",
                    "scmctl validate samples/quickstart.yaml",
                    [&app] { return Validate(app, file); }));
  with_file(AddVerb(root, app, "plan", "Cost, finish and attainable significance, before it runs",
                    "scmctl plan samples/legal-1b.yaml", [&app] { return Plan(app, file); }));
  CLI::App* submit = with_file(AddVerb(root, app, "submit", "Start an experiment",
                                       "scmctl submit samples/quickstart.yaml --follow",
                                       [&app] { return Submit(app, file, follow, request_id); }));
  submit->add_flag("--follow", follow, "Watch until it ends; exit with its outcome");
  AddPatience(submit, app);
  submit->add_option("--request-id", request_id,
                     "Makes repeating safe: the same id never starts a second experiment");
}

}  // namespace scm::ctl
