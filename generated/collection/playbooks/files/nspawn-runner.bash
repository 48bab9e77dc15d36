# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Generated from src/model/nspawn-runner-program.ts, src/model/collection.ts: edit that, then run "npm run generate".
# shellcheck shell=bash disable=SC2016 # names with $ stay as they are
# Completion for bash: source this file, or copy it to /etc/bash_completion.d/.

# Options, each with a space before the kind of its value; nothing after an option without a value.
_nspawn_runner_options() {
  case $1 in
    "") printf '%s\n' '--root directory' --verbose -v --debug ;;
    gitlab-config) printf '%s\n' '--default-image image' '--allow any' ;;
    prepare) printf '%s\n' '--id job' '--default-image image' '--allow any' ;;
    run) printf '%s\n' '--id job' '--shell any' ;;
    cleanup) printf '%s\n' '--id job' ;;
    exec) printf '%s\n' --here --boot '--storage =overlay,tmpfs,snapshot' ;;
    list) printf '%s\n' --json ;;
    jobs) printf '%s\n' --json ;;
  esac
}

# Kinds of the arguments, in their order. "..." after the last one: more of them, and no options.
_nspawn_runner_arguments() {
  case $1 in
    prepare) printf '%s\n' image ;;
    run) printf '%s\n' 'file any' ;;
    exec) printf '%s\n' 'image command ...' ;;
    shell) printf '%s\n' image ;;
    enter) printf '%s\n' job ;;
    login) printf '%s\n' image ;;
    chroot-login) printf '%s\n' image ;;
    chroot-maintenance) printf '%s\n' image ;;
  esac
}

# Words of a kind.
_nspawn_runner_words() {
  case $1 in
    image) (cd -- "$2" 2>/dev/null && compgen -d -X '.*') ;;
    job) (cd -- /run/nspawn-runner/jobs 2>/dev/null && compgen -d -X '.*') ;;
    directory) compgen -d -- "$3" ;;
    file) compgen -f -- "$3" ;;
    command) compgen -c -- "$3" ;;
    =*) printf '%s\n' "${1#=}" | tr , '\n' ;;
  esac
}

_nspawn_runner() {
  local IFS=$' \t\n' word=${COMP_WORDS[COMP_CWORD]} verb="" root=${NSPAWN_RUNNER_ROOT:-/var/lib/nspawn-runner}
  local option kind found position=0 words=0 i candidates
  local -a kinds=()
  # The value of --option=VALUE is three words here: COMP_WORDBREAKS has the equals sign.
  local -a line=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == = ]] || line+=("${COMP_WORDS[i]}")
  done
  [[ $word == = ]] && word=""
  kind=""
  for ((i = 0; i < ${#line[@]}; i++)); do
    kind=""
    if [[ ${line[i]} == -- ]]; then
      words=1
    elif [[ ${line[i]} == -* && $words == 0 ]]; then
      while read -r option found; do
        [[ $option == "${line[i]}" && -n $found ]] || continue
        kind=$found
        [[ $option == --root && -n ${line[i + 1]-} ]] && root=${line[i + 1]}
        i=$((i + 1))
      done < <(_nspawn_runner_options "$verb")
    elif [[ -z $verb ]]; then
      verb=${line[i]}
      read -r -a kinds <<<"$(_nspawn_runner_arguments "$verb")"
    else
      position=$((position + 1))
      # All further words belong to a command, dashes or not.
      [[ ${kinds[position + 1]-} == "..." || ${kinds[position]-} == "..." ]] && words=1
    fi
  done
  if [[ -n $kind && $i -gt ${#line[@]} ]]; then
    candidates=$(_nspawn_runner_words "$kind" "$root" "$word")
  elif [[ $word == -* && $words == 0 ]]; then
    candidates=$(_nspawn_runner_options "$verb" | while read -r option found; do printf '%s\n' "$option"; done && printf '%s\n' --help)
  elif [[ -z $verb ]]; then
    candidates=$(printf '%s\n' gitlab-config prepare run cleanup toml exec shell list jobs enter login sweep chroot-list chroot-login chroot-create chroot-maintenance)
  else
    kind=${kinds[position]-}
    ((position > 0 && position >= ${#kinds[@]} - 1)) && [[ ${kinds[-1]-} == "..." ]] && kind="file"
    candidates=$(_nspawn_runner_words "$kind" "$root" "$word")
  fi
  [[ $kind == file || $kind == directory ]] && compopt -o filenames 2>/dev/null
  # compgen -W would run a command that is a part of a file's name.
  mapfile -t COMPREPLY < <(while IFS= read -r found; do
    [[ -n $found && $found == "$word"* ]] && printf '%s\n' "$found"
  done <<<"$candidates" | sort -u)
}

complete -F _nspawn_runner nspawn-runner
