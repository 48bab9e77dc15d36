// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The programs that make a tree, in order of preference.

export interface BootstrapTool {
  /** Value of `nspawn_runner_bootstrap`. */
  readonly name: string;
  /** What it is. */
  readonly why: string;
  /** Program on PATH. */
  readonly program: string;
  /** Debian package that has it. */
  readonly package: string;
  /** Program that it runs under where it is installed. */
  readonly under?: string;
  /**
   * Arguments. `{suite}`, `{tree}`, `{mirror}`, `{components}`, `{architecture}`, `{variant}`, `{packages}` and `{keyring}` are replaced,
   * lists joined by commas; an argument whose value is not set is left out.
   */
  readonly arguments: readonly string[];
  /** Files of which one must exist for the suite, with `{suite}` replaced. Without it, any suite can be tried. */
  readonly suite_files?: readonly string[];
  /** Variable of the environment that names a configuration file for the time of the run, and that file's lines. */
  readonly config_variable?: string;
  readonly config_lines?: readonly string[];
  /** What it leaves in the tree that is none of an image's business; the last component may be a glob. */
  readonly leftovers?: readonly string[];
}

export const bootstrapTools: readonly BootstrapTool[] = [
  {
    name: "mmdebstrap",
    why: "Makes Debian and its derivatives by apt itself; knows every suite that the archive has.",
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
      // A mirror that does not answer is given up after a minute.
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
    // It downloads by wget, which waits a quarter of an hour and tries twenty times otherwise.
    config_variable: "WGETRC",
    config_lines: ["timeout = 10", "tries = 2"],
    leftovers: ["var/log/bootstrap.log", "usr/sbin/policy-rc.d"],
  },
];

/** Packages that every image made by a bootstrap tool gets: what Ansible's modules and a booted job need. */
export const basePackages: readonly string[] = ["dbus", "git", "python3", "python3-apt", "systemd"];
