// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The first lines of a generated file: licence, source to edit, command to run.

/** Lines without the comment sign. `sources`: the files of the model behind the output. */
function headerLines(sources: readonly string[]): readonly string[] {
  return [...LICENCE, "", generatedFrom(sources)];
}

export const hashHeader = (sources: readonly string[]): string => comment(headerLines(sources), "#");

export const htmlHeader = (sources: readonly string[]): string => `<!--\n${headerLines(sources).join("\n")}\n-->\n`;

/** Header of Python in plugins/: ansible-test sanity demands the line on the GPL; PRIVATE tells other collections not to import the file. */
export const pythonHeader = (sources: readonly string[]): string =>
  comment(
    [...LICENCE, GPL, "", "PRIVATE: for this collection only; it may change at any time.", generatedFrom(sources)],
    "#",
  );

export const generatedFrom = (sources: readonly string[]): string =>
  `Generated from ${sources.map((source) => `src/model/${source}`).join(", ")}: edit that, then run "npm run generate".`;

// Split, so that `reuse lint` does not take these lines for the licence of this file.
const LICENCE = [
  `SPDX-${"FileCopyrightText"}: The nspawn.runner authors`,
  `SPDX-${"License-Identifier"}: GPL-3.0-or-later`,
] as const;

const GPL = "GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)";

const comment = (lines: readonly string[], sign: string): string =>
  lines
    .map((line) => `${sign} ${line}`.trimEnd())
    .join("\n")
    .concat("\n");
