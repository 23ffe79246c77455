// ls, status, runs, metrics, events, why: one question, one answer, as a table or as JSON.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"
#include "common/text.h"
#include "coordinator/core/policy/recompute.h"
#include "scmctl/app.h"
#include "scmctl/render/render.h"
#include "scmctl/render/sort_runs.h"
#include "scmctl/render/table.h"

namespace scm::ctl {
namespace {

int PrintAnswer(const App& app, const absl::StatusOr<Json>& answer,
                const std::function<std::string(const Json&)>& render) {
  if (!answer.ok()) return Fail(answer.status());
  const std::string text =
      app.json() ? absl::StrCat(DumpJson(*answer, 2), "\n") : render(CleanTexts(*answer));
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

// Says on standard error which experiment a name was taken for.
void NoteResolved(const std::string& asked, const std::string& resolved) {
  if (!resolved.empty() && resolved != asked) {
    std::fprintf(stderr, "%s is %s\n", LineOf(asked).c_str(), LineOf(resolved).c_str());
  }
}

absl::StatusOr<Json> Ask(Client& client, Topic topic, const std::string& id) {
  absl::StatusOr<Page> page = client.QueryPage(topic, id, 0);
  if (!page.ok()) return page.status();
  NoteResolved(id, page->resolved);
  return std::move(page->json);
}

// Every page of metrics or events as one answer.
absl::StatusOr<Json> AskAll(Client& client, Topic topic, const std::string& id, const char* list) {
  Json all;
  for (int64_t after = 0;;) {
    absl::StatusOr<Page> page = client.QueryPage(topic, id, after);
    if (!page.ok()) return page.status();
    if (all.is_null()) {
      all = std::move(page->json);
    } else {
      for (Json& row : page->json[list]) all[list].push_back(std::move(row));
    }
    after = page->next;
    if (after == 0) return all;
  }
}

int Status(const App& app, const std::string& id) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> answer = Ask(client, Topic::kStatus, id);
    const int printed = PrintAnswer(
        app, answer, [&](const Json& json) { return RenderStatus(json, app.terminal); });
    return printed != kExitOk ? printed : ExitCodeOf(*answer);
  });
}

// Recomputes every certificate of the answer: [{"certificate","reproduced","text"}].
absl::StatusOr<Json> Verify(const Json& why) {
  Json verified = Json::array();
  for (const Json& reason : MemberAt(why, "reasons")) {
    const Json& certificate = MemberAt(reason, "certificate");
    if (!certificate.is_object()) continue;
    const auto again = policy::RecomputeCertificate(certificate);
    if (!again.ok()) return again.status();
    verified.push_back({{"certificate", StringAt(certificate, "id")},
                        {"reproduced", again->reproduced},
                        {"text", again->text}});
  }
  return verified;
}

std::string RenderVerified(const Json& verified) {
  std::string text;
  for (const Json& one : verified) {
    absl::StrAppend(&text, StringAt(one, "certificate"), ": ", StringAt(one, "text"), "\n");
  }
  return text.empty() ? "there is no certificate to recompute\n" : text;
}

int Why(const App& app, const std::string& id, bool verify) {
  return WithClient(app, [&](Client& client) {
    absl::StatusOr<Json> answer = Ask(client, Topic::kReasons, id);
    bool reproduced = true;
    if (answer.ok() && verify) {
      const absl::StatusOr<Json> verified = Verify(*answer);
      if (!verified.ok()) return Fail(verified.status());
      for (const Json& one : *verified) reproduced &= BoolAt(one, "reproduced", false);
      (*answer)["verified"] = *verified;
    }
    const int printed = PrintAnswer(app, answer, [&](const Json& json) {
      return absl::StrCat(RenderWhy(json, app.terminal),
                          verify ? RenderVerified(MemberAt(json, "verified")) : "");
    });
    return printed != kExitOk || reproduced ? printed : static_cast<int>(kExitFailed);
  });
}

int List(const App& app) {
  return WithClient(app, [&](Client& client) {
    return PrintAnswer(app, client.Query(Topic::kExperiments, ""),
                       [&](const Json& json) { return RenderList(json, app.terminal); });
  });
}

int Runs(const App& app, const std::string& id, const std::string& sort, bool reverse) {
  return WithClient(app, [&](Client& client) {
    absl::StatusOr<Json> answer = Ask(client, Topic::kRuns, id);
    if (answer.ok() && !sort.empty()) {
      if (absl::Status s = SortRuns(*answer, sort, reverse); !s.ok()) return Fail(s);
    }
    return PrintAnswer(app, answer,
                       [&](const Json& json) { return RenderRuns(json, app.terminal); });
  });
}

int Paged(const App& app, Topic topic, const std::string& id, const char* list,
          std::string (*render)(const Json&, const Terminal&)) {
  return WithClient(app, [&](Client& client) {
    return PrintAnswer(app, AskAll(client, topic, id, list),
                       [&](const Json& json) { return render(json, app.terminal); });
  });
}

}  // namespace

void AddQueryCommands(CLI::App& root, App& app) {
  static std::string id;
  static std::string sort;
  static bool verify = false, reverse = false;
  AddVerb(root, app, "ls", "List experiments", "scmctl ls -o json", [&app] { return List(app); });
  AddVerb(root, app, "status", "Stages, runs and tasks of an experiment; exits with its outcome",
          "scmctl status scm-legal-1b", [&app] { return Status(app, id); })
      ->add_option("ID", id, "Experiment id or name")
      ->required();
  CLI::App* runs = AddVerb(root, app, "runs", "List the runs of an experiment or trial",
                           "scmctl runs e-3 --sort validation_loss",
                           [&app] { return Runs(app, id, sort, reverse); });
  runs->add_option("ID", id, "Experiment, trial or run")->required();
  runs->add_option("--sort", sort, "Order by a metric, a parameter or a key, smallest first");
  runs->add_flag("--reverse", reverse, "Largest first");
  AddVerb(root, app, "metrics", "Print the metric points of a run", "scmctl metrics r-7 -o json",
          [&app] { return Paged(app, Topic::kMetrics, id, "points", RenderMetrics); })
      ->add_option("RUN", id, "Run id")
      ->required();
  AddVerb(root, app, "events", "Everything that happened to an experiment, run, task or worker",
          "scmctl events r-7",
          [&app] { return Paged(app, Topic::kEvents, id, "events", RenderEvents); })
      ->add_option("ID", id, "Any id, or an experiment's name (default: everything)");
  CLI::App* why = AddVerb(root, app, "why", "Why something is in the state it is in",
                          "scmctl why r-7 --verify", [&app] { return Why(app, id, verify); });
  why->add_option("ID", id, "Any id")->required();
  why->add_flag("--verify", verify, "Recompute the stored certificates");
}

}  // namespace scm::ctl
