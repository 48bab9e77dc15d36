// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The shell scripts of a job's stages, in the shape that GitLab Runner gives them.

/** 14.7 pipes into the user's commands; since 18.11.4, a subshell with a trap reads from /dev/null. */
export type Profile = "14.7" | "19.4";

export interface Variable {
  readonly key: string;
  readonly value: string;
  /** The job gets the path of a file with the value. */
  readonly file?: boolean;
  readonly masked?: boolean;
}

/** Text as bash reads it: $'...'. */
function quoted(text: string): string {
  const escaped = [...Buffer.from(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    if (character === "'" || character === "\\") return `\\${character}`;
    return byte >= 0x20 && byte < 0x7f ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `$'${escaped.join("")}'`;
}

const echo = (text: string): string => `echo ${quoted(text)}`;

/** A command after its own first line in green, as users see it in the log. */
function shown(command: string): readonly string[] {
  const [first = "", ...more] = command.split("\n");
  return [echo(`\x1b[32;1m$ ${first}${more.length > 0 ? " # collapsed multi-line command" : ""}\x1b[0;m`), command];
}

/** A command in a section of the log that can be folded. awk gives the time. */
function section(name: string, command: string): readonly string[] {
  const mark = (kind: string, rest: string) =>
    `printf '\\033[0Ksection_${kind}:%s:${name}\\r\\033[0K${rest}\\n' "$(awk 'BEGIN{srand(); print srand()}')"`;
  return [mark("start", ""), ...shown(command), mark("end", "")];
}

/** Paths and variables in a stage's script. */
export interface Place {
  readonly profile: Profile;
  readonly variables: readonly Variable[];
  readonly projectDirectory: string;
}

const exports = ({ variables, projectDirectory }: Place): readonly string[] =>
  variables.flatMap(({ key, value, file }) => {
    if (!file) return [`export ${key}=${quoted(value)}`];
    const path = `${projectDirectory}.tmp/${key}`;
    const written = [`mkdir -p ${quoted(`${projectDirectory}.tmp`)}`, `printf %s ${quoted(value)} > ${quoted(path)}`];
    return [...written, `export ${key}=${quoted(path)}`];
  });

/** A script that ends with the status of the first command that fails. */
function script({ profile }: Place, lines: readonly string[]): string {
  const body = quoted(lines.map((line) => `${line}\n`).join(""));
  return profile === "14.7"
    ? `#!/usr/bin/env bash\n\nset -eo pipefail\nset +o noclobber\n: | eval ${body}\nexit 0\n`
    : [
        "#!/usr/bin/env bash",
        "",
        "trap 'exit 1' TERM",
        "if set -o | grep pipefail > /dev/null; then set -o pipefail; fi; set -o errexit",
        "set +o noclobber",
        `(trap 'exit 1' TERM; eval ${body}) < /dev/null`,
        "exit 0",
        "",
      ].join("\n");
}

export const prepareScript = (place: Place): string => script(place, ['echo "Running on $(hostname) via $RUNNER..."']);

/** Without Git: the project's directory alone, as for GIT_STRATEGY none. */
export const getSources = (place: Place, commands: readonly string[] = []): string =>
  script(place, [
    ...exports(place),
    `mkdir -p ${quoted(place.projectDirectory)}`,
    echo("Skipping Git repository setup"),
    ...commands,
  ]);

/** Removes all of the project's directory before another attempt. */
export const clearWorktree = (place: Place): string =>
  script(place, [`cd ${quoted(place.projectDirectory)}`, "find . -mindepth 1 -delete"]);

/** The commands of the user, each shown before. */
export const userScript = (place: Place, commands: readonly string[]): string =>
  script(place, [
    ...exports(place),
    `cd ${quoted(place.projectDirectory)}`,
    ...commands.flatMap((command, index) =>
      place.profile === "19.4" && command.includes("\n")
        ? section(`section_script_step_${index}`, command)
        : shown(command),
    ),
  ]);

/** Calls gitlab-runner in the image, for caches and artifacts. Without gitlab-runner the stage succeeds with a message. */
export const helper = (place: Place, what: string, args: readonly string[]): string =>
  script(place, [
    ...exports(place),
    `cd ${quoted(place.projectDirectory)}`,
    "if gitlab-runner --version >/dev/null 2>&1; then",
    `  gitlab-runner ${args.map(quoted).join(" ")} || echo ${quoted(`${what} failed`)}`,
    "else",
    `  echo ${quoted(`Missing gitlab-runner. ${what} is disabled.`)}`,
    "fi",
  ]);

export const cleanupFileVariables = (place: Place): string =>
  script(
    place,
    place.variables
      .filter(({ file }) => file)
      .map(({ key }) => `rm -f ${quoted(`${place.projectDirectory}.tmp/${key}`)}`),
  );
