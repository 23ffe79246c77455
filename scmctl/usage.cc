#include "scmctl/usage.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/suggest.h"

namespace scm::ctl {
namespace {

// The verb that was meant: the innermost of those that were recognised.
const CLI::App& Innermost(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

std::string FullName(const CLI::App& app) {
  return app.get_parent() == nullptr
             ? app.get_name()
             : absl::StrCat(FullName(*app.get_parent()), " ", app.get_name());
}

std::vector<std::string> VerbsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

std::vector<std::string> OptionsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back(absl::StrCat("--", name));
  }
  return names;
}

std::string Meant(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = Suggest(word, known);
  return near.empty() ? "" : absl::StrCat("; did you mean ", near, "?");
}

// What is wrong, without a full stop.
std::string Complaint(const CLI::App& app, const std::vector<std::string>& left,
                      const CLI::ParseError& error) {
  const std::vector<std::string> verbs = VerbsOf(app);
  for (const std::string& word : left) {
    if (absl::StartsWith(word, "-")) {
      return absl::StrCat("there is no option ", word, Meant(word, OptionsOf(app)));
    }
    return verbs.empty() ? absl::StrCat("\"", word, "\" is one argument too many")
                         : absl::StrCat("there is no \"", word, "\"", Meant(word, verbs));
  }
  if (!verbs.empty() && app.get_require_subcommand_min() > 0) {
    return absl::StrCat("one of these must follow: ", absl::StrJoin(verbs, ", "));
  }
  return error.what();
}

}  // namespace

std::string EmptyOption(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (!absl::StartsWith(argument, "--") || argument.find('=') != argument.size() - 1) continue;
    const std::string name = argument.substr(0, argument.size() - 1);
    return absl::StrCat("scmctl: ", argument, " is empty: a value must follow the \"=\". Is the ",
                        "variable set that should give it? Without ", name,
                        " its default holds.\n");
  }
  return "";
}

std::string UsageMessage(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& app = Innermost(root);
  const std::vector<std::string> left = root.remaining(/*recurse=*/true);
  if (&app == &root && left.empty()) return root.help();
  const std::string name = FullName(app);
  const std::string example =
      &app == &root ? "" : absl::StrCat(absl::StripAsciiWhitespace(app.get_footer()), "\n");
  return absl::StrCat(name, ": ", Complaint(app, left, error), "\n", example, "`", name,
                      " --help` says more.\n");
}

}  // namespace scm::ctl
