// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `npm run release`: the version in package.json becomes a release.

export { release } from "../artifact/release.ts";
