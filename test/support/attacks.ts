// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The answers to attack.py in a container.

import { statSync } from "node:fs";
import { expect } from "vitest";

export const attack = "/usr/bin/python3 /root/attack.py";

export const refused = {
  "read a device node of the tree": "EACCES",
  "write to a device node of the tree": "EACCES",
  "mount the tree with devices": "EPERM",
  "make a device node": "EPERM",
  "make a device node in a new file system": "EPERM",
  "mount devtmpfs": "EPERM",
  "write core_pattern in a new /proc": "EACCES",
  "write another setting of the host": "EACCES",
  "write core_pattern": expect.stringMatching(/EACCES|EROFS/),
  "mount sysfs": "EPERM",
  "mount debugfs": "EPERM",
  "change the limits of a control group": "EACCES",
  "open a packet socket": "EPERM",
  "open a raw socket": "EPERM",
  "listen on a port below 1024": "EACCES",
  // In the scope of a session there is no node for this.
  "make a network device": expect.stringMatching(/EPERM|ENOENT/),
  "load a kernel module": "EPERM",
  "read the kernel log": "EPERM",
  "load a program into the kernel": "EPERM",
  "watch the processors": "EPERM",
  "make a file that root cannot change": "EPERM",
  "run before all other processes": "EPERM",
  "set the clock": "EPERM",
  "read the environment of systemd-nspawn": "ENOENT",
  "reach the host by a descriptor": "EPERM",
  "type into the terminal": "ENXIO",
};

export const results = (output: string): unknown =>
  JSON.parse(/^\{.*\}$/m.exec(output.replaceAll("\r", ""))?.[0] ?? output);

/** Status of the host's /dev/null, which a container could change through a descriptor. */
export const hostNull = () => {
  const { mode, mtimeMs } = statSync("/dev/null");
  return { mode, mtimeMs };
};
