// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

export const collection = {
  namespace: "acme",
  name: "boxes",
  description: "Keeps boxes.",
  authors: ["The authors (@authors)"],
  license: ["GPL-3.0-or-later"],
  readme: "README.md",
  tags: ["tools"],
  repository: "https://example.org/boxes",
  build_ignore: [],
  requires_ansible: ">=2.14.0",
} as const;

export const layout = {
  /** Where boxes are. */
  root: "/srv/boxes",
  /** Where playbooks are.
   *
   * @sh */
  playbook_directory: "/etc/boxes",
  /** Prefix of variables. */
  variable_prefix: "box_",
  /** Where jobs are. */
  jobs_directory: "/run/boxes",
} as const;

interface Flag {
  readonly flag: string;
  readonly why: string;
  readonly systemd: number;
  readonly environment?: true;
  readonly variable?: string;
  readonly when?: string | boolean;
  readonly pattern?: string;
  readonly source?: string;
}

export const nspawnFlags: readonly Flag[] = [
  { flag: "--quiet", why: "It is loud.", systemd: 209 },
  { flag: "--machine={machine}", why: "Boxes do not meet.", systemd: 206 },
  { flag: "SYSTEMD_LOG=none", environment: true, why: "The log is loud too.", systemd: 240, source: "https://example.org/1" },
  { flag: "--bind={value}", variable: "box_binds", pattern: "^(.+)$", why: "A directory.", systemd: 198 },
  { flag: "--private-network", variable: "box_online", when: false, why: "A box without network.", systemd: 187 },
];

interface Tool {
  readonly name: string;
  readonly why: string;
  readonly program: string;
  readonly package: string;
  readonly under?: string;
  readonly arguments: readonly string[];
  readonly suite_files?: readonly string[];
}

export const bootstrapTools: readonly Tool[] = [
  { name: "boxer", why: "Makes boxes.", program: "boxer", package: "boxer-tools", arguments: ["{suite}", "{tree}"] },
];

export const basePackages: readonly string[] = ["python3"];

interface Playbook {
  readonly name: string;
  readonly does: string;
  readonly hosts: string;
  readonly example: string;
}

export const playbooks: readonly Playbook[] = [
  { name: "acme.boxes.pack", does: "Packs every box.", hosts: "boxes", example: "ansible-playbook acme.boxes.pack" },
];

interface IgnoredPath {
  readonly path: string;
  readonly why: string;
  readonly anywhere?: true;
  readonly files?: true;
}

export const ignoredPaths: readonly IgnoredPath[] = [
  { path: "var/log", files: true, why: "Words of the past." },
  { path: "__pycache__", anywhere: true, why: "Python writes it." },
];

interface ExitStatus {
  readonly name: string;
  readonly status: number;
  readonly when: string;
}

export const exitStatuses: readonly ExitStatus[] = [
  { name: "full", status: 75, when: "The box is full." },
  { name: "broken", status: 125, when: "The box is broken." },
];

interface Kept {
  readonly names: readonly string[];
  readonly why: string;
}

export const keptVariables: readonly Kept[] = [{ names: ["HOME", "TMPDIR"], why: "Boxes have a home." }];
export const keptCapabilities: readonly Kept[] = [{ names: ["chown"], why: "Boxes have owners." }];

interface Property {
  readonly property: string;
  readonly value: string;
  readonly why: string;
}

export const scopeProperties: readonly Property[] = [
  { property: "TasksMax", value: "10", why: "A box is small." },
];

interface Distribution {
  readonly name: string;
  readonly origin: string;
  readonly suites: string;
  readonly architectures: string;
  readonly mirror: string;
  readonly keyring: string;
  readonly package: string;
  readonly components: readonly string[];
}

export const distributions: readonly Distribution[] = [
  {
    name: "cardboard",
    origin: "Cardboard",
    suites: "brown|white",
    architectures: ".*",
    mirror: "http://cardboard.example.org/boxes",
    keyring: "/usr/share/keyrings/cardboard.gpg",
    package: "cardboard-keyring",
    components: ["main"],
  },
];

interface Pocket {
  readonly name: string;
  readonly distribution: string;
  readonly suites: string;
  readonly suite: string;
  readonly beside: string;
  readonly mirror?: string;
}

export const pockets: readonly Pocket[] = [
  { name: "updates", distribution: "cardboard", suites: "brown", suite: "{suite}-updates", beside: "{mirror}" },
];

interface Program {
  readonly name: string;
  readonly description: string;
  readonly options: readonly ProgramOption[];
  readonly verbs: readonly Verb[];
  readonly exit_statuses: readonly ExitStatus[];
}

interface ProgramOption {
  readonly flags: readonly string[];
  readonly type: "string" | "integer" | "flag" | "list";
  readonly metavar?: string;
  readonly default?: string | number;
  readonly env?: string;
  readonly choices?: readonly string[];
  readonly completes?: string;
  readonly help: string;
}

interface Argument {
  readonly name: string;
  readonly help: string;
  readonly nargs?: string;
  readonly completes?: string;
}

interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly description?: readonly string[];
  readonly arguments?: readonly Argument[];
  readonly options?: readonly ProgramOption[];
  readonly examples?: readonly string[];
}

export const program: Program = {
  name: "box-er",
  description: "Opens boxes.",
  options: [
    { flags: ["--root"], type: "string", metavar: "DIR", default: "{layout.root}", env: "BOXES", completes: "directory", help: "Where boxes are." },
    { flags: ["--loud", "-l"], type: "flag", help: "Say more." },
  ],
  verbs: [
    {
      name: "open",
      summary: "Opens a box.",
      description: ["The lid stays."],
      arguments: [
        { name: "BOX", completes: "image", help: "The box." },
        { name: "TOOL", nargs: "...", completes: "command", help: "What opens the box." },
      ],
      options: [
        { flags: ["--lids"], type: "integer", metavar: "N", default: 2, help: "Number of lids." },
        { flags: ["--colour"], type: "string", metavar: "C", choices: ["red", "green"], help: "Colour." },
        { flags: ["--label"], type: "list", metavar: "TEXT", help: "A label." },
      ],
      examples: ["box-er open a -- knife"],
    },
    { name: "close", summary: "Closes all boxes." },
  ],
  exit_statuses: [{ name: "stuck", status: 3, when: "A lid is stuck." }],
};
