// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The systemd-nspawn command line: one table for the wrapper (sh) and for Python.

export interface NspawnFlag {
  /** The flag, in which `{name}` (the image), `{machine}` (a unique name) and `{value}` (one value of the variable) are replaced. */
  readonly flag: string;
  /** Reason for the flag. */
  readonly why: string;
  /** Lowest systemd version with the flag, from the manual page systemd-nspawn(1), which gives no versions of environment variables. */
  readonly systemd: number;
  /** A variable of systemd-nspawn's environment, instead of an argument. */
  readonly environment?: true;
  /** Only in a staged tree, which has no other user until it is published. */
  readonly staged?: true;
  /** Only with this image variable: one flag for each value, or for the one value that `when` names. */
  readonly variable?: string;
  /** Only while this image variable, true or false, is not false. */
  readonly needs?: string;
  /** The value of the variable that this flag is for. */
  readonly when?: string | boolean;
  /** A pattern that a value must match for this flag; of several flags of one variable the first that matches is taken. */
  readonly pattern?: string;
  readonly source?: string;
}

export const nspawnFlags: readonly NspawnFlag[] = [
  {
    flag: "--register=no",
    why: "Registration needs machined and D-Bus, and quick registered calls in a row fail.",
    systemd: 209,
    source: "https://github.com/systemd/systemd/issues/39670",
  },
  {
    flag: "--keep-unit",
    why: "No scope is made, so that neither systemd as PID 1 nor D-Bus is needed.",
    systemd: 209,
  },
  {
    flag: "--settings=no",
    why: "A file NAME.nspawn beside the tree or in /etc/systemd/nspawn is ignored.",
    systemd: 226,
    source: "https://www.freedesktop.org/software/systemd/man/systemd-nspawn.html#--settings=MODE",
  },
  { flag: "--quiet", why: "Standard error carries the command's output only.", systemd: 209 },
  {
    flag: "--console=pipe",
    why: "Standard input and output pass through byte for byte, without a terminal.",
    systemd: 242,
  },
  { flag: "--link-journal=no", why: "No journal directory of the host is linked into the tree.", systemd: 187 },
  { flag: "--timezone=off", why: "The host's time zone is not copied into the tree.", systemd: 239 },
  {
    flag: "--resolv-conf=off",
    why: "The collection provides DNS, without leaving a file in the tree.",
    systemd: 239,
  },
  {
    flag: "--machine={machine}",
    why: "A unique name for each call: two simultaneous calls do not conflict.",
    systemd: 202,
  },
  { flag: "--hostname={name}", why: "The host name in the container is the image's name.", systemd: 239 },
  {
    flag: "--private-users=pick",
    why: "Root in the container is a user without rights on the host. systemd-nspawn takes 65,536 ids that no other container and no user of the host has.",
    systemd: 230,
  },
  {
    flag: "--private-users-ownership=map",
    why: "The tree is mounted with its owners mapped to these ids: on the disk, all files have the owners that they have in the container.",
    systemd: 249,
    source: "https://docs.kernel.org/filesystems/idmappings.html",
  },
  {
    flag: "--drop-capability=CAP_MKNOD",
    why: "A user namespace has no device nodes. In an image without one, a container that can make device nodes could write the host's disks.",
    systemd: 209,
  },
  {
    flag: "--setenv=NSPAWN_RUNNER_ENVIRONMENT",
    why: "The values of nspawn_runner_environment, which all users of the host could read in a list of arguments. A shell in the container sets them.",
    systemd: 249,
  },
  { flag: "--setenv=SYSTEMD_OFFLINE=1", why: "Units can be enabled although systemd does not run.", systemd: 209 },
  {
    flag: "SYSTEMD_NSPAWN_TMPFS_TMP=0",
    environment: true,
    why: "/tmp is kept between two calls, which tasks rely on.",
    systemd: 248,
  },
  {
    flag: "SYSTEMD_LOG_TARGET=console",
    environment: true,
    why: "As the first process of a PID namespace, systemd-nspawn would write the reason for a failed start to the host's journal only.",
    systemd: 209,
  },
  {
    flag: "--setenv=DPKG_FORCE=security-mac,downgrade,unsafe-io",
    staged: true,
    why: "dpkg does not wait for the disk after each unpacked file: a staged tree is written to the disk as a whole before it is published. The first two words are dpkg's default, which the variable replaces.",
    systemd: 209,
    source: "https://manpages.debian.org/bookworm/dpkg/dpkg.1.en.html#DPKG_FORCE",
  },
  {
    flag: "--private-users=no",
    variable: "nspawn_runner_user_namespace",
    when: false,
    why: "For kernels and file systems that cannot map owners. Of several such flags, systemd-nspawn takes the last.",
    systemd: 230,
  },
  {
    flag: "--bind-ro={value}:idmap",
    variable: "nspawn_runner_binds",
    needs: "nspawn_runner_user_namespace",
    pattern: "^(?!/dev(?:[/:]|$))(.+):ro$",
    why: "A read-only directory or file of the host, with the same owners in the container.",
    systemd: 251,
  },
  {
    flag: "--bind={value}:{value}:idmap",
    variable: "nspawn_runner_binds",
    needs: "nspawn_runner_user_namespace",
    pattern: "^(?!/dev(?:[/:]|$))((?:[^:\\\\]|\\\\.)+)$",
    why: "A directory or file of the host, with the same owners in the container.",
    systemd: 251,
  },
  {
    flag: "--bind={value}:idmap",
    variable: "nspawn_runner_binds",
    needs: "nspawn_runner_user_namespace",
    pattern: "^(?!/dev(?:[/:]|$))(.+)$",
    why: "The same on another path.",
    systemd: 251,
  },
  {
    flag: "--bind-ro={value}",
    variable: "nspawn_runner_binds",
    pattern: "^(.+):ro$",
    why: "A read-only device, whose file system cannot map owners. Without a user namespace, every read-only bind.",
    systemd: 198,
  },
  {
    flag: "--bind={value}",
    variable: "nspawn_runner_binds",
    pattern: "^(.+)$",
    why: "A device, whose file system cannot map owners. Without a user namespace, every bind.",
    systemd: 198,
  },
  {
    flag: "--setenv={value}",
    variable: "nspawn_runner_environment",
    why: "The image's own environment. The argument stands only in the file of the options: systemd-nspawn gets NSPAWN_RUNNER_ENVIRONMENT.",
    systemd: 209,
  },
  {
    flag: "--private-network",
    variable: "nspawn_runner_network",
    when: "none",
    why: "The container has a loopback device only.",
    systemd: 187,
  },
  {
    flag: "SYSTEMD_SECCOMP=0",
    environment: true,
    variable: "nspawn_runner_seccomp",
    when: false,
    why: "An old host's system call filter breaks newer guests.",
    systemd: 247,
  },
  {
    flag: "--capability={value}",
    variable: "nspawn_runner_capabilities",
    why: "The image's own capabilities.",
    systemd: 186,
  },
];
