// doctor: is everything as it should be? The coordinator looks at itself; scmctl looks at the way
// to it.
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/human.h"
#include "common/version.h"
#include "scmctl/app.h"
#include "scmctl/render/render.h"
#include "scmctl/render/versions.h"

namespace scm::ctl {
namespace {

// Below it the way of the answer explains the difference.
constexpr absl::Duration kClockSlack = absl::Seconds(5);

Json Check(const char* name, const char* state, const std::string& text, const Json& advice) {
  return {{"check", name}, {"state", state}, {"text", text}, {"advice", advice}};
}

Json CheckClock(const std::string& coordinator_now, absl::Time now) {
  absl::Time there;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, coordinator_now, &there, &error)) {
    return Check("clock", "warning", "the coordinator does not say what time it is", nullptr);
  }
  const absl::Duration apart = absl::AbsDuration(now - there);
  if (apart <= kClockSlack) {
    return Check("clock", "ok", "this machine and the coordinator agree on the time", nullptr);
  }
  return Check(
      "clock", "warning",
      absl::StrCat("this machine and the coordinator are ", HumanDuration(apart), " apart"),
      "set both clocks (chrony or systemd-timesyncd): times in listings, finish_by and "
      "budgets by the day depend on the coordinator's");
}

Json Answer(const App& app) {
  Json checks = Json::array();
  const auto client = Connect(app.client);
  const absl::StatusOr<Json> seen =
      client.ok() ? (*client)->Query(Topic::kHealth, "") : absl::StatusOr<Json>(client.status());
  if (!seen.ok()) {
    checks.push_back(Check("coordinator", "problem", std::string(seen.status().message()),
                           "`scmctl local status` says what runs on this machine"));
    return {{"healthy", false}, {"checks", checks}};
  }
  const std::string version = StringAt(*seen, "version");
  const std::string note = VersionNote(kVersion, version);
  checks.push_back(Check("coordinator", note.empty() ? "ok" : "warning",
                         absl::StrCat("version ", version, " answers at ", (*client)->address()),
                         note.empty() ? Json(nullptr) : Json(note)));
  checks.push_back(CheckClock(StringAt(*seen, "now"), absl::Now()));
  bool healthy = true;
  for (const Json& check : MemberAt(*seen, "checks")) {
    healthy = healthy && StringAt(check, "state") != "problem";
    checks.push_back(check);
  }
  return {{"healthy", healthy}, {"checks", checks}};
}

int Doctor(const App& app) {
  const Json answer = Answer(app);
  const std::string text =
      app.json() ? DumpJson(answer, 2) + "\n" : RenderDoctor(CleanTexts(answer), app.terminal);
  std::fputs(text.c_str(), stdout);
  return BoolAt(answer, "healthy", false) ? kExitOk : kExitInternal;
}

}  // namespace

void AddDoctorCommand(CLI::App& root, App& app) {
  AddVerb(root, app, "doctor",
          "Check coordinator, store, checkpoints, disk and workers; exits 1 if something is wrong",
          "scmctl doctor", [&app] { return Doctor(app); });
}

}  // namespace scm::ctl
