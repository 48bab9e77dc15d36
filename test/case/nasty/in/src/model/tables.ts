// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

export const collection = {
  namespace: "acme",
  name: "nasty",
  description: "Has 'quotes', \"quotes\", a # and a: colon.",
  authors: ["Zoë #1 (@zoe)", "yes"],
  license: ["GPL-3.0-or-later"],
  readme: "README.md",
  tags: ["tools"],
  repository: "https://example.org/?a=1&b=2#c",
  build_ignore: ["*.gz", "no", "12:30", "~", "0o14"],
  requires_ansible: ">=2.14.0",
} as const;

export const layout = {
  /** A root with a space and a `$`. */
  root: "/srv/a b'c$d",
  /**
   * A directory that a shell would take apart.
   *
   * @sh
   */
  playbook_directory: "/etc/it's $HOME `id` \\ \"x\"",
  /** Jobs. */
  jobs_directory: "/run/it's $HOME",
  /** Prefix of variables. */
  variable_prefix: "n_",
} as const;

export const nspawnFlags = [
  { flag: "--setenv=A={name} it's $(id)", why: "A pipe | in a table, <b>html</b> and *stars*.", systemd: 232 },
  { flag: "X=a b{machine}c", environment: true, why: "Words.", systemd: 1 },
  { flag: "--y=it's $HOME", staged: true, why: "In a staged tree.", systemd: 2 },
  { flag: "--x=y", variable: "n_text", when: "off", pattern: "^(\\d+|\"x\")$", why: "Never.", systemd: 9 },
] as const;

export const scopeProperties = [{ property: "Description", value: "it's | `id` \" $x %", why: "A `pipe | `." }] as const;

export const bootstrapTools = [
  {
    name: "b",
    why: "A backslash \\ and a tab\tstand here.",
    program: "b",
    package: "b",
    arguments: ["--a='{suite}'", "--b=\"{tree}\"", "\u{1f4e6} \u00e9"],
  },
];

export const distributions = [
  {
    name: "d",
    origin: "A \"quoted\" it's",
    suites: "(?!\\d|x$).*",
    architectures: "a|b",
    mirror: "http://mirror.example.org/a|b",
    keyring: "/k $x `y`",
    package: "p",
    components: ["<b>"],
  },
];
export const pockets = [] as const;

export const basePackages: readonly string[] = [];

export const keptVariables = [{ names: ["A|B", "`C`"], why: "A pipe | in a table, <b>html</b> and *stars*." }] as const;
export const keptCapabilities = [] as const;

export const playbooks = [
  { name: "acme.nasty.p", does: "A `back|tick` and 100 % <sure>.", hosts: "a`b``c", example: "echo '```'" },
] as const;

export const ignoredPaths = [{ path: "a b/it's \"x\" $HOME `id` \\ | <é>", why: "A pipe | and a \\ backslash." }] as const;

export const exitStatuses = [{ name: "s", status: 1, when: "A `back|tick`, 100 % <sure> and a \\ backslash." }] as const;

export const program = {
  name: "n-s",
  description: "A pipe | in a table, <b>html</b> and *stars* with `code`.",
  options: [{ flags: ["--root"], type: "string", metavar: "DIR", default: "{layout.root}", completes: "directory", help: "A `|` and \"quotes\"." }],
  verbs: [
    {
      name: "x",
      summary: "It's $HOME.",
      arguments: [{ name: "JOB", nargs: "*", completes: "job", help: "A job." }],
      options: [{ flags: ["-c", "--choice-of"], type: "string", metavar: "C", choices: ["it's", "$(id)", "a|b"], help: "One." }],
    },
  ],
  exit_statuses: [],
} as const;
