// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// What Galaxy is told of the collection, and the names that more than one language needs.

/** galaxy.yml. The version is package.json's. */
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

/** Names that more than one language needs; `@sh`: the wrapper too. */
export const layout = {
  /** Default of every `root`. */
  root: "/var/lib/nspawn-runner",
  /**
   * Directory of the private state in the root, one directory per image in it, mode 0700.
   *
   * @sh
   */
  state_directory: ".nspawn-runner",
  /** Where playbooks are looked for after the inventory's own directory. */
  playbook_directory: "/etc/nspawn-runner",
  /** Prefix of an image's variables. */
  variable_prefix: "nspawn_runner_",
  /** Group of all images. */
  group: "nspawn_runner",
  /**
   * In an image's state directory: the container's own options for the wrapper, one per line.
   *
   * @sh
   */
  container_file: "container",
  /** In an image's state directory: what the last run of its playbook printed. */
  log_file: "last.log",
  /** In an image's state directory: the tree that takes the image's place when it is complete and maintained. */
  staged_directory: "staged",
  /** In an image's state directory: the staged tree of the last maintenance that failed, where `nspawn_runner_keep_failed` is set. */
  failed_directory: "failed",
  /** In an image's state directory: earlier trees, each in the directory of its id. */
  generations_directory: "generations",
  /** In an image's state directory: what is known of its trees, as JSON. */
  state_file: "state.json",
} as const;
