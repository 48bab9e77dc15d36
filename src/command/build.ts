// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `npm run build`: the collection in build/ and its artifact in dist/.

export { build } from "../artifact/build.ts";
