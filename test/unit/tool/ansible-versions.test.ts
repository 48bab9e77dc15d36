// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { expect, test } from "vitest";
import { ansibleVersions, newestAnsible, oldestAnsible } from "../../../src/tool/ansible-versions.ts";

test("the versions are one of each minor version, from the oldest to the newest", () => {
  const minor = (version: string): number => Number(/^2\.(\d+)\.\d/.exec(version)?.[1]);
  const count = minor(newestAnsible) - minor(oldestAnsible) + 1;
  expect(ansibleVersions.map(minor)).toEqual(Array.from({ length: count }, (_, index) => minor(oldestAnsible) + index));
});
