// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The tree that a lab boots: a Debian host with its own Ansible, on which the tests can run too.

import { testPackages } from "../tool/apt.ts";
import { debian, type Suite } from "../tool/mmdebstrap.ts";

const packages = [
  // What only the linter needs comes from a part of the archive that is often in transition.
  ...testPackages.filter((name) => name !== "shellcheck"),
  "ca-certificates",
  "dbus",
  "git",
  "nodejs",
  "python3",
  "sudo",
  "systemd",
  "systemd-sysv",
];

/** Written by the lab on this machine's disk and not to an overlay: an overlay cannot lie on an overlay. */
export const diskDirectories = ["/var/lib/machines", "/var/lib/nspawn-runner", "/var/tmp"];

/** Makes the tree where there is none yet, which takes some minutes. */
export function labTree(suite: Suite): Promise<string> {
  return debian("lab", suite, [
    `--include=${[...new Set(packages)].join(",")}`,
    // Empty: the next boot sets it. "uninitialized", as packages leave it, is a first boot that asks questions on the console.
    '--customize-hook=: >"$1/etc/machine-id"',
    // It has the capability to load modules, but there are none in the tree.
    '--customize-hook=ln -s /dev/null "$1/etc/systemd/system/systemd-modules-load.service"',
    // No udev makes them.
    `--customize-hook=for i in $(seq 0 15); do echo "b! /dev/loop$i 0660 root disk - 7:$i"; done >"$1/etc/tmpfiles.d/loop.conf"`,
    ...diskDirectories.map((directory) => `--customize-hook=mkdir -p "$1${directory}"`),
  ]);
}
