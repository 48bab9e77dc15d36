// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `playbooks/files/NAME.bash`: completion of the program's command line, for bash.

import type { ProgramOption, Verb } from "../ir/program.ts";
import { layoutValue, type Spec } from "../ir/spec.ts";
import { hashHeader } from "./header.ts";
import { shWord } from "./literal/sh.ts";

/** Works without the package bash-completion. */
export function completionFile(spec: Spec): string {
  const { program, collection, layout } = spec;
  const { name, options, verbs, source } = program;
  const id = name.replaceAll("-", "_");
  const root = options.find((option) => option.name === "root");
  return `${hashHeader([...new Set([source, collection.source, layout.source])])}# shellcheck shell=bash disable=SC2016 # names with $ stay as they are
# Completion for bash: source this file, or copy it to /etc/bash_completion.d/.

# Options, each with a space before the kind of its value; nothing after an option without a value.
_${id}_options() {
  case $1 in
${branch('""', options)}${verbs.map((verb) => branch(shWord(verb.name), verb.options)).join("")}  esac
}

# Kinds of the arguments, in their order. "..." after the last one: more of them, and no options.
_${id}_arguments() {
  case $1 in
${verbs.map(argumentBranch).join("")}  esac
}

# Words of a kind.
_${id}_words() {
  case $1 in
    image) (cd -- "$2" 2>/dev/null && compgen -d -X '.*') ;;
    job) (cd -- ${shWord(layoutValue(spec, "jobs_directory"))} 2>/dev/null && compgen -d -X '.*') ;;
    directory) compgen -d -- "$3" ;;
    file) compgen -f -- "$3" ;;
    command) compgen -c -- "$3" ;;
    =*) printf '%s\\n' "\${1#=}" | tr , '\\n' ;;
  esac
}

_${id}() {
  local IFS=$' \\t\\n' word=\${COMP_WORDS[COMP_CWORD]} verb="" root=${rootDefault(root)}
  local option kind found position=0 words=0 i candidates
  local -a kinds=()
  # The value of --option=VALUE is three words here: COMP_WORDBREAKS has the equals sign.
  local -a line=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == = ]] || line+=("\${COMP_WORDS[i]}")
  done
  [[ $word == = ]] && word=""
  kind=""
  for ((i = 0; i < \${#line[@]}; i++)); do
    kind=""
    if [[ \${line[i]} == -- ]]; then
      words=1
    elif [[ \${line[i]} == -* && $words == 0 ]]; then
      while read -r option found; do
        [[ $option == "\${line[i]}" && -n $found ]] || continue
        kind=$found
        [[ $option == --root && -n \${line[i + 1]-} ]] && root=\${line[i + 1]}
        i=$((i + 1))
      done < <(_${id}_options "$verb")
    elif [[ -z $verb ]]; then
      verb=\${line[i]}
      read -r -a kinds <<<"$(_${id}_arguments "$verb")"
    else
      position=$((position + 1))
      # All further words belong to a command, dashes or not.
      [[ \${kinds[position + 1]-} == "..." || \${kinds[position]-} == "..." ]] && words=1
    fi
  done
  if [[ -n $kind && $i -gt \${#line[@]} ]]; then
    candidates=$(_${id}_words "$kind" "$root" "$word")
  elif [[ $word == -* && $words == 0 ]]; then
    candidates=$(_${id}_options "$verb" | while read -r option found; do printf '%s\\n' "$option"; done && printf '%s\\n' --help)
  elif [[ -z $verb ]]; then
    candidates=$(printf '%s\\n' ${verbs.map((verb) => shWord(verb.name)).join(" ")})
  else
    kind=\${kinds[position]-}
    ((position > 0 && position >= \${#kinds[@]} - 1)) && [[ \${kinds[-1]-} == "..." ]] && kind="file"
    candidates=$(_${id}_words "$kind" "$root" "$word")
  fi
  [[ $kind == file || $kind == directory ]] && compopt -o filenames 2>/dev/null
  # compgen -W would run a command that is a part of a file's name.
  mapfile -t COMPREPLY < <(while IFS= read -r found; do
    [[ -n $found && $found == "$word"* ]] && printf '%s\\n' "$found"
  done <<<"$candidates" | sort -u)
}

complete -F _${id} ${shWord(name)}
`;
}

/** Lines of a \`case\` that print the options of a verb. */
function branch(pattern: string, options: readonly ProgramOption[]): string {
  const lines = options.flatMap((option) => option.flags.map((flag) => `${flag} ${kindOf(option)}`.trimEnd()));
  return lines.length > 0 ? `    ${pattern}) printf '%s\\n' ${lines.map(shWord).join(" ")} ;;\n` : "";
}

const kindOf = ({ type, choices, completes }: ProgramOption): string =>
  type === "flag" ? "" : choices === null ? (completes ?? "any") : `=${choices.join(",")}`;

function argumentBranch({ name, arguments: args }: Verb): string {
  const kinds = args.flatMap(({ completes, nargs }) => [
    completes ?? "any",
    ...(nargs === null || nargs === "?" ? [] : ["..."]),
  ]);
  return kinds.length > 0 ? `    ${shWord(name)}) printf '%s\\n' ${shWord(kinds.join(" "))} ;;\n` : "";
}

function rootDefault(option: ProgramOption | undefined): string {
  const value = shWord(String(option?.default ?? "/"));
  return option?.env ? `\${${option.env}:-${value}}` : value;
}
