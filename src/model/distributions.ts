// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Distributions that the bootstrap tools make, with their own archives. No other file names these addresses.

export interface Distribution {
  /** Name of the row. */
  readonly name: string;
  /** Field `Origin` of the archive's Release files: a mirror of another archive can have suites of the same names. */
  readonly origin: string;
  /** Pattern of the suites that are made from this archive when the image names no mirror. */
  readonly suites: string;
  /** Pattern of the Debian architectures of this archive. */
  readonly architectures: string;
  /** URL of the distribution's own archive, or `apt`: the one that apt of the host uses for a suite of this row. */
  readonly mirror: string;
  /** File of the host, and of a tree, that holds the archive's keys. */
  readonly keyring: string;
  /** Debian package with this file. */
  readonly package: string;
  /** Components that an image can name in `nspawn_runner_components`. */
  readonly components: readonly string[];
}

export const distributions: readonly Distribution[] = [
  {
    name: "debian",
    origin: "Debian",
    suites: "bullseye|bookworm|trixie|forky|duke|sid|(?:old(?:old)?)?stable|testing|unstable|experimental",
    architectures: ".*",
    mirror: "apt",
    keyring: "/usr/share/keyrings/debian-archive-keyring.gpg",
    package: "debian-archive-keyring",
    components: ["main", "contrib", "non-free", "non-free-firmware"],
  },
  {
    // Suites without updates. The keys of the last ones are still in the first keyring.
    name: "debian-archived",
    origin: "Debian",
    suites: "jessie|stretch|buster",
    architectures: ".*",
    mirror: "apt",
    keyring: "/usr/share/keyrings/debian-archive-removed-keys.gpg",
    package: "debian-archive-keyring",
    components: ["main", "contrib", "non-free"],
  },
  {
    name: "ubuntu",
    origin: "Ubuntu",
    suites: "trusty|xenial|bionic|focal|jammy|noble|plucky|questing|resolute|stonking|devel",
    architectures: "amd64|i386",
    mirror: "http://archive.ubuntu.com/ubuntu",
    keyring: "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    package: "ubuntu-keyring",
    components: ["main", "universe", "restricted", "multiverse"],
  },
  {
    name: "ubuntu-ports",
    origin: "Ubuntu",
    suites: "trusty|xenial|bionic|focal|jammy|noble|plucky|questing|resolute|stonking|devel",
    architectures: "(?!amd64$|i386$).*",
    mirror: "http://ports.ubuntu.com/ubuntu-ports",
    keyring: "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    package: "ubuntu-keyring",
    components: ["main", "universe", "restricted", "multiverse"],
  },
];

/** A part of an archive with packages that are newer than those of the suite: security fixes and other updates. */
export interface Pocket {
  /** Name of the repository. */
  readonly name: string;
  /** Row of `distributions`. */
  readonly distribution: string;
  /** Pattern of the suites that can have the pocket. A suite is made without a pocket that does not exist. */
  readonly suites: string;
  /** The pocket's own suite, in which `{suite}` is replaced. */
  readonly suite: string;
  /** URL of the pocket on a mirror, in which `{mirror}` is replaced. */
  readonly beside: string;
  /** URL of the distribution's own place of the pocket, or `apt`, for a mirror without the pocket. Absent: such a mirror makes a tree without the pocket. */
  readonly mirror?: string;
}

export const pockets: readonly Pocket[] = [
  {
    name: "updates",
    distribution: "debian",
    suites: "(?!(?:sid|unstable|experimental)$).*",
    suite: "{suite}-updates",
    beside: "{mirror}",
  },
  {
    name: "security",
    distribution: "debian",
    suites: "(?!(?:sid|unstable|experimental)$).*",
    suite: "{suite}-security",
    beside: "{mirror}-security",
    mirror: "apt",
  },
  { name: "updates", distribution: "ubuntu", suites: ".*", suite: "{suite}-updates", beside: "{mirror}" },
  {
    name: "security",
    distribution: "ubuntu",
    suites: ".*",
    suite: "{suite}-security",
    beside: "{mirror}",
    mirror: "http://security.ubuntu.com/ubuntu",
  },
  { name: "updates", distribution: "ubuntu-ports", suites: ".*", suite: "{suite}-updates", beside: "{mirror}" },
  {
    name: "security",
    distribution: "ubuntu-ports",
    suites: ".*",
    suite: "{suite}-security",
    beside: "{mirror}",
    mirror: "http://ports.ubuntu.com/ubuntu-ports",
  },
];
