// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Where systemd is PID 1, the container of a session runs in a scope of its own with these properties.

export interface ScopeProperty {
  /** Name of the property, from the manual page systemd.resource-control(5) or systemd.unit(5). */
  readonly property: string;
  /** Value as in a unit's file: yes, a number, a percentage or a word. */
  readonly value: string;
  /** Reason for the property. */
  readonly why: string;
}

export const scopeProperties: readonly ScopeProperty[] = [
  {
    property: "Slice",
    value: "nspawn-runner.slice",
    why: "An admin can limit all containers together: systemctl edit nspawn-runner.slice.",
  },
  {
    property: "Delegate",
    value: "yes",
    why: "systemd-nspawn makes control groups of its own below the scope's.",
  },
  {
    property: "CollectMode",
    value: "inactive-or-failed",
    why: "A scope that failed does not stay in the list of units.",
  },
  {
    property: "DevicePolicy",
    value: "closed",
    why: "Only harmless devices, such as null, and devices of nspawn_runner_binds can be opened, also without a user namespace.",
  },
  {
    property: "MemoryMax",
    value: "80%",
    why: "A task that fills the memory is killed, and the host keeps a fifth of its memory for all else.",
  },
  {
    property: "TasksMax",
    value: "16384",
    why: "A task that starts processes without end fails before the host has no process ids left. The limit of systemd-nspawn@.service.",
  },
];
