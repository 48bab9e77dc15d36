// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The variables that describe an image: set by the user in the playbook's first play, in group_vars, in host_vars or by -e.

import type { Decimal, Path, Size, SizeOrNone, SizeOrShare, Url, UserName } from "./types.ts";

/**
 * Variables of an image, all optional.
 *
 * They are set in the `vars` of the first play of the image's playbook, in group_vars or host_vars beside the inventory, or on the
 * command line. A relative path starts at the playbook's directory.
 *
 * @kind variables
 * @since 0.1.0
 */
export interface ImageVariables {
  /**
   * Suite that the tree is made from, such as `trixie` or `sid`. The bootstrap tools need it.
   *
   * @option suite
   */
  nspawn_runner_chroot_suite?: string;
  /**
   * How the tree is made: by the bootstrap tool of this name, by the command of `nspawn_runner_create_command`, or from the archive of
   * `nspawn_runner_tarball`. The default is `command` or `tarball` where one of these two is set, else the first installed tool that can
   * make the suite.
   *
   * @option bootstrap
   */
  nspawn_runner_bootstrap?: "mmdebstrap" | "debootstrap" | "command" | "tarball";
  /**
   * Program and arguments that fill a directory. `{{ nspawn_runner_tree }}` in an argument is that directory, which exists and is empty.
   * This is how distributions other than Debian are made. The command runs as root on the host, with few variables of the environment
   * and without the capabilities that no creation needs.
   *
   * @example ["{{ playbook_dir }}/dnf-tree.sh", "{{ nspawn_runner_tree }}", "43", "/etc/keys/fedora-43", "https://mirror.example.org/fedora/43/", "dnf5", "python3", "systemd"]
   * @option command
   */
  nspawn_runner_create_command?: string[];
  /**
   * Local archive of a root file system: `.tar`, or compressed by gzip, xz or zstd.
   *
   * @option tarball
   */
  nspawn_runner_tarball?: Path;
  /**
   * Checksum that the archive must have, as `ALGORITHM:HEX`.
   *
   * @example sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
   * @option checksum
   */
  nspawn_runner_tarball_checksum?: string;
  /**
   * Package archive that the tree is made from. Without this value, the tree is made from the distribution's own archive. A login in the
   * URL, such as `https://user:password@mirror.example.org/debian`, is hidden from the host's users, and kept in the tree for apt, for root
   * alone. A mirror of Debian or Ubuntu gives the suite and its updates; security updates come from the mirror too if it has them, else
   * from the distribution's own archive.
   *
   * @option mirror
   */
  nspawn_runner_mirror?: Url;
  /**
   * Proxy for the creation, whatever makes the tree, and for all tasks, as `http://proxy.example.org:3128`: the variables `http_proxy` and
   * `https_proxy` of the environment, in small letters and in capitals, and `no_proxy` for this host itself. A variable of
   * `nspawn_runner_environment` overrides one of these in the tasks. Nothing of the proxy stays in the tree. Jobs get a proxy from their runner.
   *
   * @example http://proxy.example.org:3128
   * @option proxy
   */
  nspawn_runner_proxy?: Url;
  /**
   * Package repositories that the tree is made from, and that apt in the tree knows. The first one is the suite itself. The default is the
   * suite with the updates and the security updates that the distribution has for it, also with `nspawn_runner_mirror`. Creation fails
   * while one of the repositories does not answer.
   *
   * @example [{"name": "base", "url": "http://mirror.example.org/debian"}, {"name": "security", "url": "http://mirror.example.org/security", "suite": "trixie-security"}]
   * @option repositories
   */
  nspawn_runner_repositories?: Repository[];
  /**
   * Components of the package archive.
   *
   * @default ["main"]
   * @option components
   */
  nspawn_runner_components?: string[];
  /**
   * Debian architecture of the tree, such as `amd64`. The default is the host's.
   *
   * @option architecture
   */
  nspawn_runner_architecture?: string;
  /**
   * How much the bootstrap tool installs.
   *
   * @default minbase
   * @option variant
   */
  nspawn_runner_variant?: "minbase" | "buildd";
  /**
   * Packages that creation installs beside those that every image gets for Ansible and for booted jobs.
   *
   * @default []
   * @option packages
   */
  nspawn_runner_packages?: string[];
  /**
   * Keyring that the package archive's signature is checked with, and that apt in the tree gets. Without this value, the distribution's
   * own keyring is taken.
   *
   * @option keyring
   */
  nspawn_runner_keyring?: Path;
  /**
   * Each maintenance runs the playbook in a newly created tree, instead of a copy of the published one.
   * The new tree takes the image's place like any other, when the playbook has run to its end.
   *
   * @default false
   */
  nspawn_runner_maint_recreate?: boolean;
  /**
   * Number of earlier trees that are kept at any age: the newest ones. The playbook `nspawn.runner.rollback` puts one back.
   * With `0` and `nspawn_runner_keep_days` `0`, a maintenance removes all earlier trees but the one that it replaces itself: jobs can just be
   * starting on that tree. The next maintenance removes it, so a rollback is possible until then.
   *
   * @default 2
   * @minimum 0
   */
  nspawn_runner_keep_generations?: number;
  /**
   * Number of days for which an earlier tree is kept after its replacement, however many trees there are.
   * Maintenance ends with the removal of the trees that neither this variable nor `nspawn_runner_keep_generations` keeps.
   * A tree that a job still uses stays until a later maintenance.
   *
   * @default 7
   * @minimum 0
   */
  nspawn_runner_keep_days?: number;
  /**
   * Whether a changed tree must be usable before it takes the image's place: a shell starts in a container on the tree, and the tree has a
   * package database and an init, such as systemd, if it had them before the playbook, or if the published tree has them. Otherwise the
   * maintenance fails, and the image keeps its tree. Turn it off for a playbook that removes them on purpose.
   *
   * @default true
   */
  nspawn_runner_check_tree?: boolean;
  /**
   * Absolute paths of files and directories in the image that cause no publish by their changes alone, beside the paths that the collection
   * ignores in each image. A directory means everything in it.
   *
   * @default []
   * @example ["/var/lib/app/cache", "/srv/stamp"]
   */
  nspawn_runner_ignored_paths?: string[];
  /**
   * Group of this host that can read the image's record, for monitoring: the record is copied to the file `IMAGE.json` in a directory beside
   * the root directory, such as `/var/lib/nspawn-runner-state`, whenever it changes. The root directory itself, with the trees, stays closed.
   * Without this variable there is no copy. The record names packages, playbooks and options of the creation, and quotes messages of tasks.
   */
  nspawn_runner_state_group?: string;
  /**
   * Number of days after which a hold is a failure. A rollback holds the image until its release, and maintenance leaves a held image alone, without
   * a failure at any age of the hold when this variable is not set.
   *
   * @minimum 0
   */
  nspawn_runner_hold_days?: number;
  /**
   * Seconds after which a maintenance of the image is killed, with its containers and all that it waits for: creation, copy, playbook and
   * compare together. The image fails and keeps its tree, and the other images go on. The default is four hours.
   *
   * @default 14400
   * @minimum 1
   */
  nspawn_runner_timeout?: number;
  /**
   * Keeps the tree of a failed maintenance for inspection: as `.nspawn-runner/IMAGE/failed` in the root directory, until the
   * image's next maintenance has succeeded, or has failed in its playbook. By default that tree is removed. The image itself keeps its tree
   * in either case.
   *
   * @default false
   */
  nspawn_runner_keep_failed?: boolean;
  /**
   * Host directories and files in the container, each as `SOURCE`, `SOURCE:TARGET` or `SOURCE:TARGET:ro`.
   * A missing target is made in the tree, empty. Files have the same owners on the host and in the container, except devices
   * in `/dev`, which root in the container opens by the rights of other users. A source beneath a writable one is refused.
   *
   * @default []
   * @example ["/srv/cache/apt:/var/cache/apt/archives", "/etc/ci:/etc/ci:ro"]
   */
  nspawn_runner_binds?: string[];
  /**
   * Whether the containers of the image have a user namespace, in which root is a user without rights on the host.
   * Turn it off where the kernel or the file system cannot map the owners of files, and for tasks that need root's own rights,
   * such as opening a network port below 1024. The wall between container and host is much weaker then.
   *
   * @default true
   */
  nspawn_runner_user_namespace?: boolean;
  /**
   * Environment of the container. Values may not contain line breaks.
   *
   * @default {}
   */
  nspawn_runner_environment?: Record<string, string>;
  /**
   * Network of the container: the host's network, or only a loopback device.
   *
   * @default host
   */
  nspawn_runner_network?: "host" | "none";
  /**
   * Whether system calls are filtered. Turn the filter off where an old host's filter breaks a newer guest.
   *
   * @default true
   */
  nspawn_runner_seccomp?: boolean;
  /**
   * Capabilities that the container gets beside systemd-nspawn's own, such as `CAP_NET_ADMIN`. `CAP_MKNOD` is never given.
   *
   * @default []
   */
  nspawn_runner_capabilities?: string[];
  /**
   * Whether jobs may use the image. A job that asks for an image with `false` fails at once.
   *
   * @default true
   */
  nspawn_runner_job_allowed?: boolean;
  /**
   * Whether the container of a job boots the image's init, such as systemd, so that jobs can start and test services. Otherwise only the
   * job's own processes run, and the job starts faster. A booted job needs systemd as PID 1 on the host, and systemd and Python in the image.
   *
   * @default false
   */
  nspawn_runner_job_boot?: boolean;
  /**
   * Place of all that a job writes: a layer on the image's disk, a layer in memory, or a snapshot, for which the image must be on btrfs.
   * It is removed with the job in each case.
   *
   * @default overlay
   */
  nspawn_runner_job_storage?: "overlay" | "tmpfs" | "snapshot";
  /**
   * Size of all files that a job can write, at least `16M`. A job that reaches the limit finds no space left on its disk, and its log says so. Without
   * this variable, a job with the storage `tmpfs` can write half of the host's memory, and any other job as long as the host's disk has room.
   * A snapshot cannot have a limit.
   */
  nspawn_runner_job_disk?: Size;
  /**
   * Limit of a job's memory. A process that goes beyond it is killed.
   *
   * @default 40%
   */
  nspawn_runner_job_memory?: SizeOrShare;
  /**
   * Swap space that a job can use beside its memory.
   *
   * @default 0
   */
  nspawn_runner_job_swap?: SizeOrNone;
  /**
   * Number of processors that a job can use, such as `2` or `0.5`. More than the host has is the same as all. Without this variable, a job
   * can use all processors.
   */
  nspawn_runner_job_cpus?: Decimal;
  /**
   * Share of a job's processor time while processors are busy, in proportion to other jobs and to the containers of a maintenance, each of which
   * has 100.
   *
   * @default 50
   * @minimum 1
   * @maximum 10000
   */
  nspawn_runner_job_cpu_weight?: number;
  /**
   * Number of processes and threads that a job can have at the same time.
   *
   * @default 16384
   * @minimum 16
   */
  nspawn_runner_job_pids?: number;
  /**
   * Network of a job: that of the host, a private one that leads to other machines but not to the host's loopback address, or only a loopback
   * device. The private network needs the program `pasta` of Debian's package `passt`. Where systemd is PID 1, no job on the host's network
   * reaches the address at which clouds give credentials.
   *
   * @default host
   */
  nspawn_runner_job_network?: "host" | "private" | "none";
  /**
   * Host directories and files in a job's container, each as `SOURCE`, `SOURCE:TARGET` or `SOURCE:TARGET:ro`. All jobs of the image share
   * them, and one job can leave files for the next one in those without `:ro`. `nspawn_runner_binds` is not for jobs.
   *
   * @default []
   * @example ["/srv/cache/ccache:/var/cache/ccache", "/etc/ci:/etc/ci:ro"]
   */
  nspawn_runner_job_binds?: string[];
  /**
   * Environment of a job, beside the variables that GitLab sets. Values may not contain line breaks. `nspawn_runner_environment` is not for
   * jobs.
   *
   * @default {}
   */
  nspawn_runner_job_environment?: Record<string, string>;
  /**
   * Capabilities that a job gets beside systemd-nspawn's own, such as `CAP_NET_ADMIN`. `CAP_MKNOD` is never given.
   *
   * @default []
   */
  nspawn_runner_job_capabilities?: string[];
  /**
   * Whether a job's container has a user namespace, in which root is a user without rights on the host. Turn it off only where all jobs are
   * trusted: root in a job is then root on the host, behind a weaker wall.
   *
   * @default true
   */
  nspawn_runner_job_user_namespace?: boolean;
  /**
   * User in the image that runs the scripts of a job.
   *
   * @default root
   */
  nspawn_runner_job_user?: UserName;
  /**
   * Size that the caches of all projects on this host have together after a job of this image: above it, the files that no job has used for
   * the longest time are removed. A job sees the cache of its own project in GitLab, as `/cache`. `0`: jobs of this image have no such
   * directory, and their caches end with them.
   *
   * @default 10G
   */
  nspawn_runner_job_cache?: SizeOrNone;
  /**
   * Minutes for which a failed job is kept, so that `nspawn-runner enter` can look into it. It uses its disk and its memory meanwhile.
   *
   * @default 0
   * @minimum 0
   */
  nspawn_runner_job_keep_failed?: number;
}

/** A package repository, for apt. */
export interface Repository {
  /** Name, of lower-case letters, digits and `-`. */
  name: string;
  /** Address, which may have a login. The default is `nspawn_runner_mirror`, or else the distribution's own archive. */
  url?: Url;
  /** Suite in the repository. The default is `nspawn_runner_chroot_suite`. */
  suite?: string;
  /** Components of the repository. The default is `nspawn_runner_components`. */
  components?: string[];
  /** Keyring that the repository's signature is checked with. The default is `nspawn_runner_keyring`, or else the distribution's own keyring. */
  keyring?: Path;
}

/**
 * Variables that the collection sets.
 *
 * A playbook that sets one is refused.
 *
 * @kind variables
 * @derived
 * @since 0.1.0
 */
export interface DerivedVariables {
  /** Directory that holds the trees. */
  nspawn_runner_root: Path;
  /**
   * Path of the image's tree. In the image's run, which a maintenance starts, this is the staged tree, which takes the image's place
   * when the maintenance succeeds.
   */
  nspawn_runner_path: Path;
  /** Whether the tree exists. */
  nspawn_runner_present: boolean;
  /** Path of the image's playbook. Not set for an unmanaged image. */
  nspawn_runner_playbook?: Path;
  /** `id`, `version_id`, `version_codename` and `pretty_name` from the tree's os-release, where present. */
  nspawn_runner_os?: Record<string, string>;
  /** Reason why the image cannot be created or maintained. Set only for such an image. */
  nspawn_runner_error?: string;
  /** Directory that `nspawn_runner_create_command` fills. Set only while that variable is rendered. */
  nspawn_runner_tree?: Path;
}
