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
   * lists joined by commas; an argument whose value is not set is left out.
   */
  readonly arguments: readonly string[];
  /** Files with `{suite}` in their paths; one must exist for a suite. Without files, the tool may try any suite. */
  readonly suite_files?: readonly string[];
  /** Variable of the environment that names a temporary configuration file, and the lines of that file. */
  readonly config_variable?: string;
  readonly config_lines?: readonly string[];
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
      "{suite}",
      "{tree}",
      "{mirror}",
    ],
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
    // debootstrap downloads by wget, whose defaults are a timeout of 15 minutes and 20 tries.
    config_variable: "WGETRC",
    config_lines: ["timeout = 10", "tries = 2"],
    leftovers: ["var/log/bootstrap.log", "usr/sbin/policy-rc.d"],
  },
];

/** Packages of every image made by a bootstrap tool, for Ansible's modules and for booted jobs. */
export const basePackages: readonly string[] = ["dbus", "git", "python3", "python3-apt", "systemd"];
