// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The programs that make a tree, in order of preference.

export interface BootstrapTool {
  /** Value of `nspawn_runner_bootstrap`. */
  readonly name: string;
  /** Description, for the reference page. */
  readonly why: string;
  /** Program on PATH. */
  readonly program: string;
  /** Debian package with the program. */
  readonly package: string;
  /** Program that the tool runs under, where that one is installed. */
  readonly under?: string;
  /**
   * Arguments. `{suite}`, `{tree}`, `{mirror}`, `{components}`, `{architecture}`, `{variant}`, `{packages}` and `{keyring}` are replaced,
   * lists joined by commas, and `{config}` by the path of the configuration file; an argument with an unset value is left out.
   * `{sources...}` alone becomes an argument per repository, a line of apt's sources.list.
   */
  readonly arguments: readonly string[];
  /** Files with `{suite}` in their paths; one must exist for a suite. Without files, the tool may try any suite. */
  readonly suite_files?: readonly string[];
  /** The tool takes packages from the first repository alone: an upgrade inside a container brings those of the other repositories. */
  readonly upgrade?: true;
  /**
   * Lines of a temporary configuration file that only root can read. `{user}` and `{password}` are the login in the mirror's URL, and
   * `{login}` is a line for each repository with a login in the format of apt's auth.conf; a line with an unset value is left out.
   */
  readonly config_lines?: readonly string[];
  /** Variable of the environment that names the configuration file. */
  readonly config_variable?: string;
  /** Files of the tool in a new tree that no image needs; the last component may be a glob. */
  readonly leftovers?: readonly string[];
}

export const bootstrapTools: readonly BootstrapTool[] = [
  {
    name: "mmdebstrap",
    why: "Makes Debian and its derivatives by apt itself; can make every suite of the archive.",
    program: "mmdebstrap",
    package: "mmdebstrap",
    arguments: [
      "--mode=root",
      "--format=directory",
      "--variant={variant}",
      "--architectures={architecture}",
      "--components={components}",
      "--include={packages}",
      "--keyring={keyring}",
      // apt gives a silent mirror up after a minute.
      '--aptopt=Acquire::http::Timeout "10"',
      '--aptopt=Acquire::https::Timeout "10"',
      '--aptopt=Acquire::Retries "2"',
      '--aptopt=Dir::Etc::netrc "{config}"',
      "{suite}",
      "{tree}",
      "{sources...}",
    ],
    config_lines: ["{login}"],
    leftovers: ["etc/apt/apt.conf.d/99mmdebstrap", "usr/sbin/policy-rc.d"],
  },
  {
    name: "debootstrap",
    why: "Makes Debian and its derivatives by a script per suite; runs under eatmydata where that is installed.",
    program: "debootstrap",
    package: "debootstrap",
    under: "eatmydata",
    arguments: [
      "--variant={variant}",
      "--arch={architecture}",
      "--components={components}",
      "--include={packages}",
      "--keyring={keyring}",
      "{suite}",
      "{tree}",
      "{mirror}",
    ],
    suite_files: ["/usr/share/debootstrap/scripts/{suite}"],
    upgrade: true,
    // debootstrap downloads by wget, whose defaults are a timeout of 15 minutes and 20 tries.
    config_variable: "WGETRC",
    config_lines: ["timeout = 10", "tries = 2", "user = {user}", "password = {password}"],
    leftovers: ["var/log/bootstrap.log", "usr/sbin/policy-rc.d"],
  },
];

/** Packages of every image made by a bootstrap tool, for Ansible's modules and for booted jobs. */
export const basePackages: readonly string[] = ["dbus", "git", "python3", "python3-apt", "systemd"];

/** Something of the host that the programs of a creation keep. All else is taken from them. */
export interface Kept {
  readonly names: readonly string[];
  /** The need for it. */
  readonly why: string;
}

/** Variables of the environment that a bootstrap tool, a create command or tar gets from the caller. */
export const keptVariables: readonly Kept[] = [
  { names: ["HOME", "TMPDIR"], why: "Places for the programs' own files." },
  {
    names: ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"],
    why: "The way to the package archive.",
  },
  {
    names: ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"],
    why: "The same for programs that know the names in capitals alone.",
  },
];

/** Capabilities in the bounding set of these programs. */
export const keptCapabilities: readonly Kept[] = [
  {
    names: ["chown", "dac_override", "dac_read_search", "fowner", "fsetid", "linux_immutable", "setfcap"],
    why: "A tree has files of all owners and modes, with attributes and file capabilities.",
  },
  { names: ["mknod"], why: "The tools make device nodes such as `null`, and archives contain some." },
  { names: ["sys_chroot"], why: "Package scripts run in the tree by chroot." },
  {
    names: ["sys_admin"],
    why: "The tools mount `/proc` and `/sys` in the tree. With this capability, a package script can reach the host.",
  },
  {
    names: ["setgid", "setpcap", "setuid"],
    why: "apt downloads as a user of its own, and scripts run programs as users.",
  },
  {
    names: ["kill", "sys_ptrace"],
    why: "start-stop-daemon looks for processes of all users, in the creation's own PID namespace.",
  },
  { names: ["audit_write"], why: "useradd and su report to the audit system." },
  { names: ["net_bind_service"], why: "A service that is started for its own set-up may listen on a low port." },
  { names: ["sys_nice", "sys_resource"], why: "Scripts and services set priorities and limits." },
];
