// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The exact versions of ansible-core that the collection is tested with.

/** The version of Debian 12, which `npm test` uses. */
export const oldestAnsible = "2.14.18";

export const newestAnsible = "2.19.14";

/** The last release of each minor version. */
export const ansibleVersions = [oldestAnsible, "2.15.13", "2.16.19", "2.17.14", "2.18.19", newestAnsible] as const;
