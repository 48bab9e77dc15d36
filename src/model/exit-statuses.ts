// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Exit statuses of the wrapper nspawn-chroot itself, for the wrapper (sh) and for callers (Python).

export interface ExitStatus {
  /** Name in both languages. */
  readonly name: string;
  readonly status: number;
  /** Condition of the wrapper's end with this status. */
  readonly when: string;
}

export const exitStatuses: readonly ExitStatus[] = [
  // EX_TEMPFAIL of sysexits.h: the caller may try again.
  {
    name: "busy",
    status: 75,
    when: "A maintenance, a job or another command holds the tree. No container was started.",
  },
  // env(1) and timeout(1) use the same status for failures of their own.
  { name: "failed", status: 125, when: "The wrapper itself failed. No container was started." },
];
