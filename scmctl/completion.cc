#include "scmctl/completion.h"

namespace scm {
namespace {

// zsh runs the same function through bashcompinit.
constexpr char kScript[] = R"sh(_scmctl() {
  local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}
  local verbs="validate plan submit ls status watch wait runs logs metrics events why pause resume
    cancel checkpoints workers report local completion version"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$word")); return
  fi
  if [ "${word#-}" != "$word" ]; then
    COMPREPLY=($(compgen -W "--help --output --coordinator --token-file --tls-ca --follow
      --verify --out --workers --preview" -- "$word")); return
  fi
  case $verb in
    validate|plan|submit) COMPREPLY=($(compgen -f -- "$word")) ;;
    completion) COMPREPLY=($(compgen -W "bash zsh" -- "$word")) ;;
    local) COMPREPLY=($(compgen -W "up down status" -- "$word")) ;;
    workers) COMPREPLY=($(compgen -W "ls drain" -- "$word")) ;;
    checkpoints)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "ls download gc" -- "$word")); return
      fi ;&
    *)
      local ids
      ids=$(scmctl ls -o json 2>/dev/null |
            sed -n 's/^ *"\(id\|name\)": "\(.*\)",*$/\2/p')
      COMPREPLY=($(compgen -W "$ids" -- "$word")) ;;
  esac
}
complete -o default -F _scmctl scmctl
)sh";

}  // namespace

std::string CompletionScript(const std::string& shell) {
  const std::string prelude = shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "";
  return prelude + kScript;
}

}  // namespace scm
