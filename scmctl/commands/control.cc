// pause, resume, cancel, workers, checkpoints: commands that change or list the cluster's things.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "scmctl/app.h"
#include "scmctl/progress.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

int PrintControl(const App& app, const absl::StatusOr<Json>& answer, const std::string& text) {
  if (!answer.ok()) return Fail(answer.status());
  if (app.json()) {
    std::printf("%s\n", DumpJson(*answer, 2).c_str());
  } else {
    std::printf("%s\n", text.c_str());
  }
  return kExitOk;
}

int Control(const App& app, v1::ControlRequest::Verb verb, const std::string& id) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> answer = client.Control(verb, id, false);
    const std::string state = answer.ok() ? StringAt(*answer, "state") : "";
    return PrintControl(app, answer, absl::StrCat(id, " is ", state));
  });
}

void AddControl(CLI::App& root, App& app, const char* name, const char* help, const char* example,
                v1::ControlRequest::Verb verb) {
  static std::string id;
  AddVerb(root, app, name, help, example, [&app, verb] { return Control(app, verb, id); })
      ->add_option("ID", id, "Experiment id or name")
      ->required();
}

int ListCheckpoints(const App& app, const std::string& id) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> answer = client.Query(Topic::kCheckpoints, id);
    return PrintControl(app, answer,
                        answer.ok() ? RenderCheckpoints(CleanTexts(*answer), app.terminal) : "");
  });
}

int DownloadCheckpoint(const App& app, const std::string& id, std::string directory) {
  if (directory.empty())
    directory =
        absl::StrCat("checkpoint-", id.substr(0, id.find('/')), "-", id.substr(id.find('/') + 1));
  return WithClient(app, [&](Client& client) {
    const absl::Status status = client.Download(id, directory, ShowProgress(id));
    if (!status.ok()) return Fail(status);
    const Json answer = {{"id", id}, {"path", directory}};
    return PrintControl(app, answer, absl::StrCat(id, " lies in ", directory));
  });
}

int CollectCheckpoints(const App& app, const std::string& id, bool preview) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> answer =
        client.Control(v1::ControlRequest::CHECKPOINT_GC, id, preview);
    std::string text;
    if (answer.ok()) {
      for (const Json& entry : MemberAt(*answer, "removed")) {
        absl::StrAppend(&text, preview ? "would remove " : "removed ", StringAt(entry, "id"), "\n");
      }
      absl::StrAppend(&text, MemberAt(*answer, "kept").size(), " kept, ",
                      MemberAt(*answer, "removed").size(), preview ? " to remove, " : " removed, ",
                      HumanBytes(IntegerAt(*answer, "bytes", 0)));
    }
    return PrintControl(app, answer, text);
  });
}

int SaveCheckpoint(const App& app, const std::string& id) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> answer =
        client.Control(v1::ControlRequest::CHECKPOINT_SAVE, id, /*preview=*/false);
    std::string text;
    if (answer.ok()) {
      text = absl::StrCat(StringAt(*answer, "run"), " is at step ", IntegerAt(*answer, "step", 0),
                          " and writes a checkpoint soon; `scmctl checkpoints ls ",
                          StringAt(*answer, "run"), "` shows it when it is stored");
    }
    return PrintControl(app, answer, text);
  });
}

int VerifyCheckpoints(const App& app, const std::vector<std::string>& ids) {
  return WithClient(app, [&](Client& client) {
    Json answer = {{"checkpoints", Json::array()}, {"damaged", 0}};
    int64_t damaged = 0;
    const absl::Status status = client.VerifyCheckpoints(ids, [&](const Json& row) {
      damaged += !BoolAt(row, "intact", false);
      answer["checkpoints"].push_back(row);
    });
    if (!status.ok()) return Fail(status);
    answer["damaged"] = damaged;
    const int printed = PrintControl(app, answer, RenderVerifiedCheckpoints(answer, app.terminal));
    return printed != kExitOk || damaged == 0 ? printed : static_cast<int>(kExitFailed);
  });
}

void AddCheckpoints(CLI::App& root, App& app) {
  static std::string id, directory;
  static std::vector<std::string> ids;
  static bool preview = false;
  CLI::App* group =
      root.add_subcommand("checkpoints", "List, make, verify, download or clean up checkpoints");
  group->require_subcommand(1);
  group->footer("Example:\n  scmctl checkpoints ls r-7");
  AddVerb(*group, app, "ls", "Checkpoints of a run or experiment", "scmctl checkpoints ls r-7",
          [&app] { return ListCheckpoints(app, id); })
      ->add_option("ID", id, "Run or experiment")
      ->required();
  AddVerb(*group, app, "save", "Have a run that trains write a checkpoint now, and go on",
          "scmctl checkpoints save r-7", [&app] { return SaveCheckpoint(app, id); })
      ->add_option("RUN", id, "Run")
      ->required();
  AddVerb(*group, app, "verify",
          "Read every byte of checkpoints and compare it with their manifests; exits with 3 if one "
          "is damaged",
          "scmctl checkpoints verify e-3 r-9/200", [&app] { return VerifyCheckpoints(app, ids); })
      ->add_option("ID", ids, "Experiments, runs or RUN/STEP (default: all there are)");
  CLI::App* download =
      AddVerb(*group, app, "download", "Fetch one checkpoint, checked against its digests",
              "scmctl checkpoints download r-7/2000 --out best",
              [&app] { return DownloadCheckpoint(app, id, directory); });
  download->add_option("CHECKPOINT", id, "RUN/STEP")->required();
  download->add_option("--out", directory, "Directory (default: checkpoint-RUN-STEP)");
  CLI::App* gc = AddVerb(*group, app, "gc",
                         "Remove all but the best, the latest and the final checkpoint of each run",
                         "scmctl checkpoints gc e-3 --preview",
                         [&app] { return CollectCheckpoints(app, id, preview); });
  gc->add_option("ID", id, "Experiment id or name")->required();
  gc->add_flag("--preview", preview, "Only say what would be removed");
}

void AddWorkers(CLI::App& root, App& app) {
  static std::string id;
  static bool undo = false;
  CLI::App* group = root.add_subcommand("workers", "List or drain workers");
  group->require_subcommand(1);
  group->footer("Example:\n  scmctl workers ls");
  AddVerb(*group, app, "ls", "List workers", "scmctl workers ls", [&app] {
    return WithClient(app, [&](Client& client) {
      const absl::StatusOr<Json> answer = client.Query(Topic::kWorkers, "");
      return PrintControl(app, answer,
                          answer.ok() ? RenderWorkers(CleanTexts(*answer), app.terminal) : "");
    });
  });
  CLI::App* drain = AddVerb(
      *group, app, "drain", "Checkpoint and move what a worker runs; give it nothing new",
      "scmctl workers drain w-2", [&app] {
        return Control(app, undo ? v1::ControlRequest::UNDRAIN : v1::ControlRequest::DRAIN, id);
      });
  drain->add_option("WORKER", id, "Worker id")->required();
  drain->add_flag("--undo", undo, "Take the worker back, also from quarantine");
}

}  // namespace

void AddControlCommands(CLI::App& root, App& app) {
  AddControl(root, app, "pause", "Checkpoint and stop an experiment until `resume`",
             "scmctl pause e-3", v1::ControlRequest::PAUSE);
  AddControl(root, app, "resume", "Go on with a paused experiment", "scmctl resume e-3",
             v1::ControlRequest::RESUME);
  AddControl(root, app, "cancel", "End an experiment for good", "scmctl cancel e-3",
             v1::ControlRequest::CANCEL);
  AddCheckpoints(root, app);
  AddWorkers(root, app);
}

}  // namespace scm::ctl
