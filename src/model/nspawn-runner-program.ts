// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The program nspawn-runner, which starts jobs on images: its verbs, arguments, options and exit statuses.

export interface Program {
  readonly name: string;
  readonly description: string;
  /** Options before the verb. */
  readonly options: readonly ProgramOption[];
  readonly verbs: readonly Verb[];
  /** Exit statuses of the program itself, as opposed to those of a command or a job. */
  readonly exit_statuses: readonly ProgramStatus[];
}

export interface ProgramOption {
  readonly flags: readonly string[];
  /** `list`: the option can be given more than once. */
  readonly type: "string" | "integer" | "flag" | "list";
  /** Name of the value in the help. A flag has no value. */
  readonly metavar?: string;
  readonly default?: string | number;
  /** Variable of the environment that replaces the default. */
  readonly env?: string;
  readonly choices?: readonly string[];
  /** Kind of the values that the shell completes. */
  readonly completes?: "image" | "job" | "file" | "directory" | "command";
  readonly help: string;
}

export interface ProgramArgument {
  readonly name: string;
  readonly help: string;
  /** Number of words, where it is not one: at most one, any number, at least one, or all that follow, options included. */
  readonly nargs?: "?" | "*" | "+" | "...";
  readonly completes?: "image" | "job" | "file" | "directory" | "command";
}

export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Sentences, beside the summary. */
  readonly description?: readonly string[];
  readonly arguments?: readonly ProgramArgument[];
  readonly options?: readonly ProgramOption[];
  readonly examples?: readonly string[];
}

export interface ProgramStatus {
  readonly name: string;
  readonly status: number;
  readonly when: string;
}

export const program: Program = {
  name: "nspawn-runner",
  description: "Runs jobs in throw-away containers on the images of this host, for GitLab Runner and for people.",
  options: [
    {
      flags: ["--root"],
      type: "string",
      metavar: "DIR",
      default: "{layout.root}",
      env: "NSPAWN_RUNNER_ROOT",
      completes: "directory",
      help: "Directory with the images, one tree each.",
    },
    {
      flags: ["--verbose", "-v"],
      type: "flag",
      help: "Changes nothing: a configuration of nspawn-runner gives this option.",
    },
    { flags: ["--debug"], type: "flag", help: "Changes nothing, like --verbose." },
  ],
  verbs: [
    {
      name: "gitlab-config",
      summary: "Answers GitLab Runner's config call: prints the settings of a job as JSON.",
      description: [
        "An image that does not exist or is not allowed is a failure of the job, with the nearest name.",
        "The image is that of the job, such as `trixie`, or the part behind the colon of a name such as `registry.example.org/debian:trixie`.",
      ],
      options: [
        {
          flags: ["--default-image"],
          type: "string",
          metavar: "NAME",
          completes: "image",
          help: "Image of jobs that name none.",
        },
        {
          flags: ["--allow"],
          type: "list",
          metavar: "GLOB",
          help: "Pattern of the images that jobs may use, such as `debian-*`; without this option, all images that allow jobs.",
        },
      ],
    },
    {
      name: "prepare",
      summary: "Starts the container of a job.",
      description: [
        "First, the rest of jobs that have lost their runner is removed, as by `sweep`.",
        "Without GitLab Runner, the job has the name of `--id`, and the image is an argument.",
      ],
      arguments: [
        {
          name: "IMAGE",
          nargs: "?",
          completes: "image",
          help: "Image of the job; by default the image that the job names.",
        },
      ],
      options: [
        {
          flags: ["--id"],
          type: "string",
          metavar: "ID",
          completes: "job",
          help: "Name of the job, where no GitLab Runner gives one.",
        },
        {
          flags: ["--default-image"],
          type: "string",
          metavar: "NAME",
          completes: "image",
          help: "Image of jobs that name none.",
        },
        {
          flags: ["--allow"],
          type: "list",
          metavar: "GLOB",
          help: "Pattern of the images that jobs may use, such as `debian-*`; without this option, all images that allow jobs.",
        },
      ],
      examples: ["nspawn-runner prepare --id nightly trixie"],
    },
    {
      name: "run",
      summary: "Runs a script as a stage of a job.",
      description: [
        "The container stays as the stage leaves it, for the next stage.",
        "A stage ends when its shell ends, and processes in the background do not hold it.",
      ],
      arguments: [
        { name: "SCRIPT", completes: "file", help: "File on this host with the script." },
        { name: "STAGE", nargs: "?", help: "Name of the stage, for messages; any name is possible." },
      ],
      options: [
        {
          flags: ["--id"],
          type: "string",
          metavar: "ID",
          completes: "job",
          help: "Name of the job, where no GitLab Runner gives one.",
        },
        {
          flags: ["--shell"],
          type: "string",
          metavar: "PATH",
          help: "Shell in the image that reads the script; by default `bash`, or `sh` in an image without it.",
        },
      ],
      examples: ["nspawn-runner run --id nightly ./build.sh"],
    },
    {
      name: "cleanup",
      summary: "Ends a job and removes all that it left.",
      description: ["A job that is gone already is no error."],
      options: [
        {
          flags: ["--id"],
          type: "string",
          metavar: "ID",
          completes: "job",
          help: "Name of the job, where no GitLab Runner gives one.",
        },
      ],
      examples: ["nspawn-runner cleanup --id nightly"],
    },
    {
      name: "toml",
      summary: "Prints a section for GitLab Runner's config.toml.",
      description: ["The paths are those of this host. The address and the token of the runner are to be filled in."],
      examples: ["nspawn-runner toml >>/etc/gitlab-runner/config.toml"],
    },
    {
      name: "exec",
      summary: "Runs a command in a throw-away container of an image.",
      description: [
        "Exit status, streams and terminal are those of the command.",
        "All that the command writes is removed at its end, except with `--here`.",
      ],
      arguments: [
        { name: "IMAGE", completes: "image", help: "Image." },
        { name: "CMD", nargs: "...", completes: "command", help: "Command and its arguments." },
      ],
      options: [
        {
          flags: ["--here"],
          type: "flag",
          help: "Bind the current directory, and run the command there; files that the command makes belong to the directory's owner.",
        },
        {
          flags: ["--boot"],
          type: "flag",
          help: "Boot the image's init, such as systemd, before the command; needs systemd as PID 1 on this host.",
        },
        {
          flags: ["--storage"],
          type: "string",
          metavar: "S",
          choices: ["overlay", "tmpfs", "snapshot"],
          help: "Place of what the command writes: a layer on the image's disk, in memory, or a snapshot of btrfs.",
        },
      ],
      examples: ["nspawn-runner exec trixie -- cat /etc/os-release", "nspawn-runner exec --here trixie -- make check"],
    },
    {
      name: "shell",
      summary: "Opens a shell in a throw-away container of an image.",
      arguments: [{ name: "IMAGE", completes: "image", help: "Image." }],
      examples: ["nspawn-runner shell trixie"],
    },
    {
      name: "list",
      summary: "Lists the images with system, generation, age and running jobs.",
      options: [{ flags: ["--json"], type: "flag", help: "Print JSON." }],
    },
    {
      name: "jobs",
      summary: "Lists the jobs with image, stage, age, memory and disk.",
      options: [{ flags: ["--json"], type: "flag", help: "Print JSON." }],
    },
    {
      name: "enter",
      summary: "Opens a shell in a running job, or in one that was kept after its failure.",
      arguments: [{ name: "JOB", completes: "job", help: "Name of the job, as `jobs` lists it." }],
    },
    {
      name: "login",
      summary: "Opens a shell in an image itself: changes stay.",
      description: [
        "Meanwhile, a maintenance of the image and new jobs on it are refused, and so is a login while a job uses the image.",
      ],
      arguments: [{ name: "IMAGE", completes: "image", help: "Image." }],
    },
    {
      name: "sweep",
      summary: "Removes the rest of jobs that have lost their runner.",
      description: ["Each `prepare` does the same. A timer and the start of the host are good times for it."],
    },
    { name: "chroot-list", summary: "Lists the images by name and path." },
    {
      name: "chroot-login",
      summary: "Opens a shell in an image itself, as `login` does.",
      arguments: [{ name: "NAME", completes: "image", help: "Image." }],
    },
    {
      name: "chroot-create",
      summary: "Creates the missing images: starts ansible-playbook, and says with which words.",
    },
    {
      name: "chroot-maintenance",
      summary: "Maintains the images: starts ansible-playbook, and says with which words.",
      arguments: [{ name: "IMAGE", nargs: "?", completes: "image", help: "Image; by default all of them." }],
    },
  ],
  exit_statuses: [
    { name: "usage", status: 2, when: "The command line is wrong. The message names the word." },
    { name: "busy", status: 75, when: "Another program holds the image. Nothing was started." },
    { name: "failed", status: 125, when: "The program itself failed. The message has the reason and the remedy." },
  ],
};
