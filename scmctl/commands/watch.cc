// watch, wait, logs: commands that stay until something ends. Ctrl-C ends the command, never the
// experiment, and says so.
#include <signal.h>

#include <cstdio>

#include "common/text.h"
#include "scmctl/app.h"
#include "scmctl/commands/report_files.h"
#include "scmctl/progress.h"
#include "scmctl/render/live_screen.h"
#include "scmctl/render/log_filter.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

volatile sig_atomic_t interrupted = 0;

void OnInterrupt(int) { interrupted = 1; }

bool IsInterrupted() { return interrupted != 0; }

// "Report, adapters and the exported model".
std::string LeftBehind(const Json& status) {
  for (const Json& artifact : MemberAt(status, "artifacts")) {
    if (StringAt(artifact, "name") == "merged") return "Report, adapters and the exported model";
  }
  return "Report and adapters";
}

// What was left behind: the report is fetched for who submitted, named for who only watches.
void PrintFiles(Client& client, const Json& status, bool fetch) {
  const Json& e = MemberAt(status, "experiment");
  const std::string id = StringAt(e, "id");
  bool reported = false;
  for (const Json& stage : MemberAt(status, "stages")) {
    reported |= StringAt(stage, "name") == "report" && StringAt(stage, "state") == "SUCCEEDED";
  }
  if (reported && fetch) {
    ReportOptions options;
    options.progress = ShowProgress;
    const absl::StatusOr<ReportFiles> files = FetchReport(client, e, options);
    if (files.ok()) {
      std::printf("%s", DescribeFiles(*files, "  ").c_str());
      if (files->model.ok()) return;
      std::fprintf(stderr, "scmctl: the exported model could not be fetched: %s\n",
                   std::string(files->model.message()).c_str());
      return;
    }
    std::fprintf(stderr, "scmctl: the report could not be fetched: %s\n",
                 TextOf(files.status().message()).c_str());
  }
  std::printf("  %s: scmctl report %s · reasons: scmctl why %s\n",
              reported ? LeftBehind(status).c_str() : "What is known, as a report", id.c_str(),
              id.c_str());
}

int Interrupted(const std::string& id) {
  std::fprintf(stderr,
               "\nInterrupted. The experiment goes on; scmctl watch %s looks at it again, "
               "scmctl cancel %s ends it.\n",
               id.c_str(), id.c_str());
  return kExitInterrupted;
}

int Wait(App& app, const std::string& id) {
  CatchInterrupt(app);
  return WithClient(app, [&](Client& client) {
    Json last;
    const absl::Status ended = client.Watch(id, [&](const Json& status) {
      if (!status.is_null()) last = status;
    });
    if (IsInterrupted()) return Interrupted(id);
    if (!ended.ok()) return Fail(ended);
    if (app.json()) std::printf("%s\n", DumpJson(last, 2).c_str());
    return ExitCodeOf(last);
  });
}

int Logs(App& app, const std::string& id, bool follow) {
  CatchInterrupt(app);
  return WithClient(app, [&](Client& client) {
    std::string shown;
    LogFilter filter(app.terminal.colour);
    const auto print = [](const std::string& text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
    const absl::Status ended =
        client.Logs(id, follow, [&](const std::string& data, const std::string& source) {
          if (!source.empty() && source != shown) {
            print(filter.Finish());
            filter = LogFilter(app.terminal.colour);  // what another attempt left open ends here
            std::fprintf(stderr, "== %s ==\n", LineOf(source).c_str());
            shown = source;
          }
          print(app.terminal.interactive ? filter.Feed(data) : data);
        });
    print(filter.Finish());
    if (app.terminal.interactive && app.terminal.colour) print("\x1b[0m");
    if (IsInterrupted()) {
      std::fprintf(stderr, "\nInterrupted. What writes this log goes on.\n");
      return static_cast<int>(kExitInterrupted);
    }
    return ended.ok() ? static_cast<int>(kExitOk) : Fail(ended);
  });
}

}  // namespace

void CatchInterrupt(App& app) {
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, nullptr);
  app.client.interrupted = IsInterrupted;
}

int FollowExperiment(const App& app, Client& client, const std::string& id, bool fetch_report) {
  LiveScreen screen;
  Json last;
  const absl::Status ended = client.Watch(id, [&](const Json& status) {
    if (status.is_null()) {
      if (!last.is_null())
        std::fprintf(stderr, "lost contact with the coordinator; trying again\n");
      return;
    }
    if (app.json()) {
      // Only the end is printed.
    } else if (app.terminal.interactive) {
      // The window may have changed its size.
      std::fputs(screen.Redraw(RenderLive(CleanTexts(status), DetectTerminal())).c_str(), stdout);
    } else {
      std::fputs(RenderChanges(CleanTexts(last), CleanTexts(status)).c_str(), stdout);
    }
    std::fflush(stdout);
    last = status;
  });
  // The name may soon stand for another experiment.
  const std::string resolved = StringAt(MemberAt(last, "experiment"), "id", id);
  if (IsInterrupted()) return Interrupted(resolved);
  if (!ended.ok()) return Fail(ended);
  if (app.json()) {
    std::printf("%s\n", DumpJson(last, 2).c_str());
    return ExitCodeOf(last);
  }
  const absl::StatusOr<Json> why = client.Query(Topic::kReasons, resolved);
  std::printf(
      "\n%s",
      RenderOutcome(CleanTexts(last), CleanTexts(why.value_or(Json())), app.terminal).c_str());
  PrintFiles(client, last, fetch_report);
  return ExitCodeOf(last);
}

void AddWatchCommands(CLI::App& root, App& app) {
  static std::string id;
  static bool follow = false;
  CLI::App* watch =
      AddVerb(root, app, "watch", "Follow an experiment live until it ends; exits with its outcome",
              "scmctl watch scm-legal-1b", [&app] {
                CatchInterrupt(app);
                return WithClient(app, [&](Client& client) {
                  return FollowExperiment(app, client, id, /*fetch_report=*/false);
                });
              });
  watch->add_option("ID", id, "Experiment id or name")->required();
  AddPatience(watch, app);
  CLI::App* wait =
      AddVerb(root, app, "wait", "Wait silently until an experiment ends; exits with its outcome",
              "scmctl wait e-3 && echo it went well", [&app] { return Wait(app, id); });
  wait->add_option("ID", id, "Experiment id or name")->required();
  AddPatience(wait, app);
  CLI::App* logs = AddVerb(root, app, "logs", "Print what the trainers wrote", "scmctl logs r-7 -f",
                           [&app] { return Logs(app, id, follow); });
  logs->add_option("ID", id, "Experiment, run, trial or task")->required();
  logs->add_flag("-f,--follow", follow, "Go on until it ends");
  AddPatience(logs, app);
}

}  // namespace scm::ctl
