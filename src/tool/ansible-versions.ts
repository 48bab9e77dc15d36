// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The exact versions of ansible-core that the collection is tested with.

import type { Suite } from "./mmdebstrap.ts";

/** Debian 12's, which `npm test` runs with. */
export const oldestAnsible = "2.14.18";

/** The newest that runs on Debian 12's Python 3.11, as the checkers do. */
export const newestOnThisPython = "2.19.14";

/** PyPI has only release candidates of 2.22. */
export const newestAnsible = "2.22.0rc1";

const onThisPython: readonly string[] = [oldestAnsible, "2.15.13", "2.16.19", "2.17.14", "2.18.19", newestOnThisPython];

/** 2.20 and 2.21 need Python 3.12 or later, 2.22 needs 3.13 or later. */
const onNewerPython: readonly string[] = ["2.20.10", "2.21.5", newestAnsible];

/** The last of each minor version. */
export const ansibleVersions: readonly string[] = [...onThisPython, ...onNewerPython];

/** The Debian host whose Python runs this version; undefined for this machine. */
export const hostOf = (version: string): Suite | undefined => (onNewerPython.includes(version) ? "trixie" : undefined);
