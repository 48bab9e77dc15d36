# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
# shellcheck shell=bash disable=SC2016 # names with $ stay as they are
# Completion for bash: source this file, or copy it to /etc/bash_completion.d/.

# Options, each with a space before the kind of its value; nothing after an option without a value.
_box_er_options() {
  case $1 in
    "") printf '%s\n' '--root directory' --loud -l ;;
    open) printf '%s\n' '--lids any' '--colour =red,green' '--label any' ;;
  esac
}

# Kinds of the arguments, in their order. "..." after the last one: more of them, and no options.
_box_er_arguments() {
  case $1 in
    open) printf '%s\n' 'image command ...' ;;
  esac
}

# Words of a kind.
_box_er_words() {
  case $1 in
    image) (cd -- "$2" 2>/dev/null && compgen -d -X '.*') ;;
    job) (cd -- /run/boxes 2>/dev/null && compgen -d -X '.*') ;;
    directory) compgen -d -- "$3" ;;
    file) compgen -f -- "$3" ;;
    command) compgen -c -- "$3" ;;
    =*) printf '%s\n' "${1#=}" | tr , '\n' ;;
  esac
}

_box_er() {
  local IFS=$' \t\n' word=${COMP_WORDS[COMP_CWORD]} verb="" root=${BOXES:-/srv/boxes}
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
      done < <(_box_er_options "$verb")
    elif [[ -z $verb ]]; then
      verb=${line[i]}
      read -r -a kinds <<<"$(_box_er_arguments "$verb")"
    else
      position=$((position + 1))
      # All further words belong to a command, dashes or not.
      [[ ${kinds[position + 1]-} == "..." || ${kinds[position]-} == "..." ]] && words=1
    fi
  done
  if [[ -n $kind && $i -gt ${#line[@]} ]]; then
    candidates=$(_box_er_words "$kind" "$root" "$word")
  elif [[ $word == -* && $words == 0 ]]; then
    candidates=$(_box_er_options "$verb" | while read -r option found; do printf '%s\n' "$option"; done && printf '%s\n' --help)
  elif [[ -z $verb ]]; then
    candidates=$(printf '%s\n' open close)
  else
    kind=${kinds[position]-}
    ((position > 0 && position >= ${#kinds[@]} - 1)) && [[ ${kinds[-1]-} == "..." ]] && kind="file"
    candidates=$(_box_er_words "$kind" "$root" "$word")
  fi
  [[ $kind == file || $kind == directory ]] && compopt -o filenames 2>/dev/null
  # compgen -W would run a command that is a part of a file's name.
  mapfile -t COMPREPLY < <(while IFS= read -r found; do
    [[ -n $found && $found == "$word"* ]] && printf '%s\n' "$found"
  done <<<"$candidates" | sort -u)
}

complete -F _box_er box-er
