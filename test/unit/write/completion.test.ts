// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The committed completion of nspawn-runner's command line, in a bash.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../../src/tool/run.ts";
import { scratch } from "../../support/scratch.ts";

const SCRIPT = resolve("generated/collection/playbooks/files/nspawn-runner.bash");

/** The words that bash offers for the last word of each line. An equals sign is a word of its own, as in COMP_WORDS. */
async function offered(lines: readonly (readonly string[])[], root: string, directory: string): Promise<string[][]> {
  const program = `source "$1"; cd "$2"; shift 2
while (($#)); do
  COMP_WORDS=(nspawn-runner)
  while [[ $1 != END ]]; do COMP_WORDS+=("$1"); shift; done
  shift; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMPREPLY=()
  _nspawn_runner
  printf '%s\\t' "\${COMPREPLY[@]}"; printf '\\n'
done`;
  const words = lines.flatMap((line) => [...line, "END"]);
  const { output } = await run("bash", ["--norc", "-c", program, "bash", SCRIPT, directory, ...words], {
    from: "every Debian",
    env: { NSPAWN_RUNNER_ROOT: root },
  });
  return output.split("\n").map((line) => line.split("\t").filter((word) => word !== ""));
}

test("verbs, options, values, images and files, and nothing of a file's name runs", async () => {
  const directory = scratch();
  const images = join(directory, "images");
  for (const name of ["trixie", "sid", ".nspawn-runner"]) mkdirSync(join(images, name), { recursive: true });
  writeFileSync(join(directory, "a script"), "");
  writeFileSync(join(directory, "a$(touch hit)"), "");
  const rows: readonly (readonly [line: readonly string[], words: readonly string[]])[] = [
    [["chroot-l"], ["chroot-list", "chroot-login"]],
    [["--"], ["--debug", "--help", "--root", "--verbose"]],
    [
      ["-v", "--root", images, "shell", ""],
      ["sid", "trixie"],
    ],
    [["exec", "--st"], ["--storage"]],
    [
      ["exec", "--storage", "="],
      ["overlay", "snapshot", "tmpfs"],
    ],
    [["exec", "--storage", "=", "t"], ["tmpfs"]],
    [["exec", "--here", "--storage", "tmpfs", "t"], ["trixie"]],
    [
      ["exec", "trixie", "--", "cat", "a"],
      ["a script", "a$(touch hit)"],
    ],
    [["exec", "trixie", "cat", "--"], []],
    [["prepare", "--default-image", "s"], ["sid"]],
    [["list", "t"], []],
  ];
  const found = await offered(
    rows.map(([line]) => line),
    images,
    directory,
  );
  expect(found.slice(0, rows.length).map((words) => [...words].sort())).toEqual(
    rows.map(([, words]) => [...words].sort()),
  );
  const [files] = await offered([["exec", "trixie", "ls", ""]], images, directory);
  expect(files?.sort()).toEqual(["a script", "a$(touch hit)", "images"].sort());
});
