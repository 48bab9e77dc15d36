// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The collection's description for Galaxy, and names in the file system that more than one language needs.

/** Content of galaxy.yml. The version is in package.json. */
export const collection = {
  namespace: "nspawn",
  name: "runner",
  description: "Keeps the systemd-nspawn CI images of a host up to date, one playbook per image.",
  authors: ["The nspawn.runner authors (@nspawn-runner)"],
  license: ["GPL-3.0-or-later"],
  readme: "README.md",
  tags: ["linux", "tools", "debian", "systemd", "nspawn", "container", "chroot", "ci", "runner"],
  repository: "https://example.org/nspawn-runner",
  build_ignore: [".gitignore", "changelogs/.plugin-cache.yaml", "*.tar.gz", "__pycache__", "*.pyc"],
  requires_ansible: ">=2.14.0",
} as const;

/** Names that more than one language needs; the wrapper needs those with `@sh`. */
export const layout = {
  /** Default of every `root`. */
  root: "/var/lib/nspawn-runner",
  /**
   * Directory of the private state in the root directory, with one directory per image, mode 0700.
   *
   * @sh
   */
  state_directory: ".nspawn-runner",
  /** Directory of the jobs that exist, with one directory per job, mode 0700. */
  jobs_directory: "/run/nspawn-runner/jobs",
  /** Prefix of an image's variables. */
  variable_prefix: "nspawn_runner_",
  /** Group of all images. */
  group: "nspawn_runner",
  /**
   * In an image's state directory: options of the image's containers for the wrapper, one per line.
   *
   * @sh
   */
  container_file: "container",
  /** In an image's state directory: settings of the image's jobs, as JSON. */
  job_file: "job.json",
  /** In an image's state directory: the output of the last run of the playbook. */
  log_file: "last.log",
  /** In an image's state directory: the staged tree, which is published when its maintenance is complete. */
  staged_directory: "staged",
  /** In an image's state directory: the staged tree of the last maintenance that failed, where `nspawn_runner_keep_failed` is set; until a success. */
  failed_directory: "failed",
  /** In an image's state directory: the tree of a creation before its playbook ran, for the next run of an image that has no tree yet. */
  seed_directory: "seed",
  /** In an image's state directory: the time and the origin of the seed, as JSON. */
  seed_file: "seed.json",
  /** In an image's state directory: earlier trees, each in a directory named by the id. */
  generations_directory: "generations",
  /** In an image's state directory: the record of the image's trees, as JSON. */
  state_file: "state.json",
  /** Ends the name of the directory, beside the root directory, with copies of the records for groups: `nspawn_runner_state_group`. */
  shared_suffix: "-state",
} as const;
