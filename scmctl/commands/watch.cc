// watch, wait, logs: commands that stay until something ends. Ctrl-C ends the command, never the
// experiment, and says so.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "scmctl/app.h"
#include "scmctl/render.h"

namespace scm {
namespace {

volatile sig_atomic_t interrupted = 0;

void OnInterrupt(int) { interrupted = 1; }

void CatchInterrupt() {
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, nullptr);
}

// Redraws in place: goes up over what it drew before, and clears what is left of it.
class LiveScreen {
 public:
  void Draw(const std::string& text) {
    std::string out;
    if (lines_ > 0) absl::StrAppend(&out, "\x1b[", lines_, "A\r");
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      absl::StrAppend(&out, line, "\x1b[K\n");
    }
    absl::StrAppend(&out, "\x1b[J");
    lines_ = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
  }

 private:
  int lines_ = 0;
};

void PrintOutcome(const App& app, const Json& status) {
  const Json& e = MemberAt(status, "experiment");
  const std::string decision = StringAt(e, "decision");
  std::printf("%s %s\n", StringAt(e, "name").c_str(),
              decision == "go"      ? "finished: GO."
              : decision == "no_go" ? "finished: NO-GO."
                                    : absl::StrCat("ended: ", StringAt(e, "state"), ".").c_str());
  const std::string headline = StringAt(e, "headline", StringAt(e, "reason"));
  if (!headline.empty()) std::printf("  %s\n", headline.c_str());
  const std::string cost = CostText(e);
  std::printf("  %s%sscmctl report %s writes the report; scmctl why %s gives the reasons.\n",
              cost.c_str(), cost.empty() ? "" : " spent. ", StringAt(e, "id").c_str(),
              StringAt(e, "id").c_str());
}

int Interrupted(const std::string& id) {
  std::fprintf(stderr, "\nInterrupted. The experiment goes on: scmctl watch %s\n", id.c_str());
  return kExitOk;
}

int Wait(const App& app, const std::string& id) {
  CatchInterrupt();
  return WithClient(app, [&](Client& client) {
    Json last;
    const absl::Status ended = client.Watch(id, [&](const Json& status) {
      if (!status.is_null()) last = status;
      return interrupted == 0;
    });
    if (interrupted) return Interrupted(id);
    if (!ended.ok()) return Fail(ended);
    if (app.json()) std::printf("%s\n", last.dump(2).c_str());
    return ExitCodeOf(last);
  });
}

int Logs(const App& app, const std::string& id, bool follow) {
  CatchInterrupt();
  return WithClient(app, [&](Client& client) {
    std::string shown;
    const absl::Status ended =
        client.Logs(id, follow, [&](const std::string& data, const std::string& source) {
          if (!source.empty() && source != shown) {
            std::fprintf(stderr, "== %s ==\n", source.c_str());
            shown = source;
          }
          std::fwrite(data.data(), 1, data.size(), stdout);
          std::fflush(stdout);
          return interrupted == 0;
        });
    if (interrupted) return Interrupted(id);
    return ended.ok() ? kExitOk : Fail(ended);
  });
}

}  // namespace

int FollowExperiment(const App& app, Client& client, const std::string& id) {
  CatchInterrupt();
  LiveScreen screen;
  Json last;
  const absl::Status ended = client.Watch(id, [&](const Json& status) {
    if (status.is_null()) {
      std::fprintf(stderr, "lost contact with the coordinator; trying again\n");
      return interrupted == 0;
    }
    if (app.terminal.interactive && !app.json()) {
      screen.Draw(RenderLive(status, app.terminal));
    } else if (!app.json()) {
      std::fputs(RenderChanges(last, status).c_str(), stdout);
      std::fflush(stdout);
    }
    last = status;
    return interrupted == 0;
  });
  if (interrupted) return Interrupted(id);
  if (!ended.ok()) return Fail(ended);
  if (app.json()) {
    std::printf("%s\n", last.dump(2).c_str());
  } else {
    PrintOutcome(app, last);
  }
  return ExitCodeOf(last);
}

void AddWatchCommands(CLI::App& root, App& app) {
  static std::string id;
  static bool follow = false;
  AddVerb(root, app, "watch", "Follow an experiment live until it ends; exits with its outcome",
          "scmctl watch scm-legal-1b",
          [&app] {
            return WithClient(app, [&](Client& c) { return FollowExperiment(app, c, id); });
          })
      ->add_option("ID", id, "Experiment id or name")
      ->required();
  AddVerb(root, app, "wait", "Wait silently until an experiment ends; exits with its outcome",
          "scmctl wait e-3 && echo it went well", [&app] { return Wait(app, id); })
      ->add_option("ID", id, "Experiment id or name")
      ->required();
  CLI::App* logs = AddVerb(root, app, "logs", "Print what the trainers wrote", "scmctl logs r-7 -f",
                           [&app] { return Logs(app, id, follow); });
  logs->add_option("ID", id, "Experiment, run, trial or task")->required();
  logs->add_flag("-f,--follow", follow, "Go on until it ends");
}

}  // namespace scm
