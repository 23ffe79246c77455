#include "scmctl/completion.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace scm::ctl {
namespace {

constexpr char kShells[] = "bash zsh fish";
constexpr char kOutputs[] = "table json";
// What says which coordinator to ask, and how.
constexpr char kContactFlags[] = "--coordinator|--token-file|--tls-ca";

void Collect(const CLI::App& app, const std::string& path, std::vector<VerbWords>& all) {
  VerbWords words;
  words.path = path;
  words.help = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      words.argument = option->get_name();
      continue;
    }
    for (const std::string& name : option->get_lnames()) {
      words.flags.push_back("--" + name);
      if (option->get_expected_min() > 0) words.value_flags.push_back("--" + name);
      // The help calls every value that is a path by what it is.
      const std::string about = option->get_description();
      if (absl::StartsWith(about, "File ") || absl::StartsWith(about, "PEM file") ||
          absl::StartsWith(about, "Directory") || absl::StartsWith(about, "A program")) {
        words.path_flags.push_back("--" + name);
      }
    }
    for (const std::string& name : option->get_snames()) {
      words.flags.push_back("-" + name);
      if (option->get_expected_min() > 0) words.value_flags.push_back("-" + name);
    }
  }
  const size_t mine = all.size();
  all.push_back(words);
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->get_group().empty()) continue;
    all[mine].verbs.push_back(verb->get_name());
    Collect(*verb, path.empty() ? verb->get_name() : absl::StrCat(path, " ", verb->get_name()),
            all);
  }
}

// What `__ids` is asked for by an argument of this name; "" if it is no id.
std::string IdKind(const std::string& argument) {
  if (argument == "ID") return "any";
  if (argument == "RUN" || argument == "CHECKPOINT") return "run";
  if (argument == "ARTIFACT") return "artifact";
  return argument == "WORKER" ? "worker" : "";
}

// Commands that complete the argument, for a case in the shells' own words.
std::string BashArgument(const std::string& argument) {
  if (argument == "SHELL") return absl::StrCat("words=\"", kShells, "\"");
  if (const std::string kind = IdKind(argument); !kind.empty()) {
    return absl::StrCat("words=$(scmctl __ids ", kind, " \"${contact[@]}\" 2>/dev/null)");
  }
  return argument == "FILE" ? "files=1" : ":";
}

// Flags of every verb, once each, for a case of the shell.
std::string Union(const std::vector<VerbWords>& all, std::vector<std::string> VerbWords::*part) {
  std::vector<std::string> flags;
  for (const VerbWords& verb : all) {
    for (const std::string& flag : verb.*part) {
      if (std::find(flags.begin(), flags.end(), flag) == flags.end()) flags.push_back(flag);
    }
  }
  return absl::StrJoin(flags, "|");
}

// zsh runs the same function through bashcompinit: no arrays by index, no splitting of variables.
// bash itself would split HOST:PORT into three words, so the line is taken apart here.
std::string BashScript(const std::vector<VerbWords>& all) {
  std::string groups, cases;
  for (const VerbWords& verb : all) {
    if (!verb.path.empty() && !verb.verbs.empty()) {
      absl::StrAppend(&groups, groups.empty() ? "" : "|", verb.path);
    }
    absl::StrAppend(&cases, "    \"", verb.path, "\")\n      flags=\"",
                    absl::StrJoin(verb.flags, " "), "\"\n      ",
                    verb.verbs.empty()
                        ? BashArgument(verb.argument)
                        : absl::StrCat("words=\"", absl::StrJoin(verb.verbs, " "), "\""),
                    " ;;\n");
  }
  const std::string contact_values =
      absl::StrCat(absl::StrReplaceAll(kContactFlags, {{"|", "=*|"}}), "=*");
  return absl::StrReplaceAll(R"sh(_scmctl() {
  local word="${COMP_WORDS[COMP_CWORD]}" line="${COMP_LINE:0:COMP_POINT}"
  local verb="" full="" takes="" flags="" words="" files="" one="" contact=()
  case "$line" in *" "*) line="${line#* }" ;; *) line="" ;; esac
  case "$line" in *" "*) line="${line% *}" ;; *) line="" ;; esac
  while [ -n "$line" ]; do
    one="${line%% *}"
    line="${line#"$one"}"
    line="${line# }"
    if [ -z "$one" ]; then
      continue
    elif [ -n "$takes" ]; then
      case "$takes" in %CONTACT%) contact=("${contact[@]}" "$takes" "${one/#\~/$HOME}") ;; esac
      takes=""
      continue
    fi
    case "$one" in
      %CONTACT_VALUES%) contact=("${contact[@]}" "$one") ;;
      %VALUES%) takes="$one" ;;
      -*) ;;
      *)
        if [ -z "$verb" ]; then
          verb="$one"
        elif [ -z "$full" ]; then
          full=1
          case "$verb" in %GROUPS%) verb="$verb $one" ;; esac
        fi ;;
    esac
  done
  case "$takes" in
    "") ;;
    -o|--output) COMPREPLY=($(compgen -W "%OUTPUTS%" -- "$word")); return ;;
    %PATHS%) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")); return ;;
    *) return ;;
  esac
  case "$verb" in
%CASES%    *) return ;;
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *)
      if [ -n "$files" ]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$word"))
      else
        COMPREPLY=($(compgen -W "$words" -- "$word"))
      fi ;;
  esac
}
complete -F _scmctl scmctl
)sh",
                             {{"%CONTACT_VALUES%", contact_values},
                              {"%CONTACT%", kContactFlags},
                              {"%VALUES%", Union(all, &VerbWords::value_flags)},
                              {"%GROUPS%", groups},
                              {"%OUTPUTS%", kOutputs},
                              {"%PATHS%", Union(all, &VerbWords::path_flags)},
                              {"%CASES%", cases}});
}

std::string FishQuoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string FishScript(const std::vector<VerbWords>& all) {
  std::string out =
      absl::StrReplaceAll(R"sh(function __scmctl_contact
  set -l takes
  for one in (commandline -opc)
    if test -n "$takes"
      echo -- $takes
      echo -- $one
      set takes
    else if contains -- $one %CONTACT%
      set takes $one
    else if string match -qr '^(%CONTACT_ALTERNATIVES%)=' -- $one
      echo -- $one
    end
  end
end
complete -c scmctl -f
)sh",
                          {{"%CONTACT_ALTERNATIVES%", kContactFlags},
                           {"%CONTACT%", absl::StrReplaceAll(kContactFlags, {{"|", " "}})}});
  for (const VerbWords& verb : all) {
    const std::vector<std::string> path = absl::StrSplit(verb.path, ' ', absl::SkipEmpty());
    std::string when = path.empty() ? "__fish_use_subcommand" : "";
    for (const std::string& word : path) {
      absl::StrAppend(&when, when.empty() ? "" : "; and ", "__fish_seen_subcommand_from ", word);
    }
    const std::string line = absl::StrCat("complete -c scmctl -n ");
    std::string inside = when;
    if (!path.empty() && !verb.verbs.empty()) {
      absl::StrAppend(&inside, "; and not __fish_seen_subcommand_from ",
                      absl::StrJoin(verb.verbs, " "));
    }
    for (const std::string& child : verb.verbs) {
      const std::string child_path = path.empty() ? child : absl::StrCat(verb.path, " ", child);
      std::string help;
      for (const VerbWords& other : all) help = other.path == child_path ? other.help : help;
      absl::StrAppend(&out, line, FishQuoted(inside), " -a ", child, " -d ", FishQuoted(help),
                      "\n");
    }
    for (const std::string& flag : verb.flags) {
      const bool path_value =
          std::find(verb.path_flags.begin(), verb.path_flags.end(), flag) != verb.path_flags.end();
      absl::StrAppend(
          &out, line, FishQuoted(when),
          absl::StartsWith(flag, "--") ? absl::StrCat(" -l ", flag.substr(2))
                                       : absl::StrCat(" -s ", flag.substr(1)),
          path_value ? " -r -F" : "",
          flag == "-o" || flag == "--output" ? absl::StrCat(" -x -a ", FishQuoted(kOutputs)) : "",
          "\n");
    }
    if (verb.argument == "FILE") absl::StrAppend(&out, line, FishQuoted(when), " -F\n");
    if (verb.argument == "SHELL") {
      absl::StrAppend(&out, line, FishQuoted(when), " -a ", FishQuoted(kShells), "\n");
    }
    if (const std::string kind = IdKind(verb.argument); !kind.empty()) {
      absl::StrAppend(&out, line, FishQuoted(when), " -a '(scmctl __ids ", kind,
                      " (__scmctl_contact) 2>/dev/null)'\n");
    }
  }
  return out;
}

}  // namespace

std::vector<VerbWords> WordsOf(const CLI::App& root) {
  std::vector<VerbWords> all;
  Collect(root, "", all);
  return all;
}

std::string CompletionScript(const CLI::App& root, const std::string& shell) {
  const std::vector<VerbWords> all = WordsOf(root);
  if (shell == "fish") return FishScript(all);
  return absl::StrCat(shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "",
                      BashScript(all));
}

}  // namespace scm::ctl
